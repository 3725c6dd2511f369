"""Pictures from files: `decode.read` gives the pixels that a viewer would show.

`formats`: what a file is; `png`, `tiff`: what these two say about their numbers; `exif`:
orientation; `ranges`: which number is white; `colour`, `icc`: profiles; `hush`: libraries'
words. `gif` writes films.
"""
