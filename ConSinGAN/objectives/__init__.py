"""Objectives: what critic and generator minimise, one a file."""
