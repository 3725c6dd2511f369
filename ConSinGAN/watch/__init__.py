"""Watchers: who looks at a run from outside, and may ask it to stop."""
