"""Generators: networks that draw, one a file."""
