"""Methods: what one training iteration does."""
