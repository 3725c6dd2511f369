"""Pictures and films as files: `decode.read` gives the pixels that a browser would show.

`formats`: what a file is; `png`, `tiff`: what these two say about their numbers; `exif`:
orientation; `ranges`: which number is white; `colour`, `icc`: profiles; `hush`: libraries' words.
`gif`: writing.
"""
