"""Tasks: what a trained model is asked to do, one a file."""
