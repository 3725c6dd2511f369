"""Sources: where the pictures of a run come from, and what enters stage 0."""
