"""Critics: networks that judge patches of pictures, one a file."""
