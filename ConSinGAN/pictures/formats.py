"""What kind of file is it? Told by its first bytes, for messages about what cannot be read."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ConSinGAN.errors import UsageError

HEAD = 4096  # bytes that suffice to tell

TEXT = "a text file"
RAW = "a camera's raw file"
SAVE_AS = "save it as PNG or JPEG"
DEVELOP = "develop it to PNG, TIFF or JPEG"
UNPACK = "unpack it and name the picture itself"
TAKE_FRAME = "save one of its frames as PNG"

# (offset, bytes, what it is, what to do)
_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"8BPS", "a Photoshop picture", SAVE_AS),
    (0, b"gimp xcf", "a GIMP picture", "export it as PNG or JPEG"),
    (0, b"%PDF", "a PDF document", "save its picture or page as PNG or JPEG"),
    (0, b"%!PS", "a PostScript drawing", SAVE_AS),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript drawing", SAVE_AS),
    (0, b"\xff\x0a", "a JPEG XL picture", SAVE_AS),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", SAVE_AS),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", SAVE_AS),
    (0, b"#?RADIANCE", "a Radiance HDR picture", SAVE_AS),
    (0, b"#?RGBE", "a Radiance HDR picture", SAVE_AS),
    (8, b"CR\x02\0", RAW, DEVELOP),
    (6, b"HEAPCCDR", RAW, DEVELOP),
    (0, b"IIRO", RAW, DEVELOP),
    (0, b"IIRS", RAW, DEVELOP),
    (0, b"MMOR", RAW, DEVELOP),
    (0, b"IIU\0", RAW, DEVELOP),
    (0, b"FUJIFILMCCD-RAW", RAW, DEVELOP),
    (0, b"FOVb", RAW, DEVELOP),
    (0, b"\0MRM", RAW, DEVELOP),
    (0, b"PK\x03\x04", "a ZIP archive", UNPACK),
    (0, b"PK\x05\x06", "an empty ZIP archive", UNPACK),
    (0, b"\x1f\x8b", "a gzip archive", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!", "a RAR archive", UNPACK),
    (0, b"BZh", "a bzip2 archive", UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"\x1aE\xdf\xa3", "a video", TAKE_FRAME),
    (0, b"OggS", "a video or sound", TAKE_FRAME),
    (0, b"FLV\x01", "a video", TAKE_FRAME),
    (0, b"\0\0\x01\xba", "a video", TAKE_FRAME),
    (0, b"\0\0\x01\xb3", "a video", TAKE_FRAME),
    (8, b"AVI LIST", "a video", TAKE_FRAME),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video", TAKE_FRAME),
    (8, b"WAVEfmt", "a sound", "name a picture"),
    (0, b"ID3", "a sound", "name a picture"),
    (0, b"fLaC", "a sound", "name a picture"),
    (0, b"\x93NUMPY", "a NumPy array", SAVE_AS),
    (0, b"\x89HDF", "an HDF5 file", SAVE_AS),
    (0, b"\x7fELF", "a program", "name a picture"),
)  # fmt: skip

_PICTURES = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"), (0, b"\xff\xd8\xff", "JPEG"), (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"), (0, b"BM", "BMP"), (0, b"II*\0", "TIFF"), (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"), (0, b"MM\0+", "TIFF"),
)  # fmt: skip

_BRANDS = {  # of ISO media files
    b"avif": ("an AVIF picture", SAVE_AS), b"avis": ("an AVIF picture", SAVE_AS),
    b"crx ": (RAW, DEVELOP),
    b"heic": ("an HEIC picture", SAVE_AS), b"heix": ("an HEIC picture", SAVE_AS),
    b"heim": ("an HEIC picture", SAVE_AS), b"heis": ("an HEIC picture", SAVE_AS),
    b"hevc": ("an HEIC picture", SAVE_AS), b"hevx": ("an HEIC picture", SAVE_AS),
    b"mif1": ("an HEIF picture", SAVE_AS), b"msf1": ("an HEIF picture", SAVE_AS),
}  # fmt: skip

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.IGNORECASE)


def check_file(path: str | Path, flag: str) -> Path:
    """The path of a file that is there. Raises UsageError, naming `flag` and the file as typed."""
    text, path = str(path), Path(path)
    problem = f"{flag} {path}: there is no such file"
    try:
        os.fspath(path).encode()
        exists = path.exists()
    except (OSError, UnicodeEncodeError, ValueError):
        exists, problem = False, f"{flag} {text!a}: is no name for a file"
    if not exists:
        raise UsageError(_of_address(text, flag) or problem)
    if not path.is_file():
        raise UsageError(f"{flag} {path}: is not a picture file")
    return path


def _of_address(text: str, flag: str) -> str | None:
    """What to say of an address that was given instead of a file's name; None if it is none."""
    url = _URL.fullmatch(text)
    if url is None:
        return None
    if url[1].lower() == "file":
        return f"{flag} file:///{url[2]}: is an address; give the path alone"
    shown = text if "://" in text else f"{url[1]}://{url[2]}"  # a Path has lost a slash
    return (
        f"{flag} {shown}: is an address, not a file; download the picture first and name the file"
    )


def unreadable(head: bytes) -> str:
    """What a file that cannot be read is, and what to do, to follow a file's name and a colon.

    head: its first HEAD bytes.
    """
    if not head:
        return "is an empty file; copy or download the picture again"
    if not head.strip(b"\0"):
        return "holds nothing but zeros; copy or download the picture again"
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the picture; get the picture with 'git lfs pull'"
    known = _from_magic(head) or _from_brand(head) or _from_text(head)
    if known is not None:
        what, advice = known
        if what == TEXT:
            return f"is not a readable picture, but {what}; {advice}"
        return f"is {what}, which cannot be read here; {advice}"
    for offset, magic, name in _PICTURES:
        if head.startswith(magic, offset):
            return f"is a {name} picture, but damaged, incomplete or of a rare kind; save it again"
    return f"is not a readable picture, or is damaged; {SAVE_AS}"


def _from_magic(head: bytes) -> tuple[str, str] | None:
    for offset, magic, what, advice in _MAGIC:
        if head.startswith(magic, offset):
            return what, advice
    return None


def _from_brand(head: bytes) -> tuple[str, str] | None:
    if head[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(head[:4], "big"), 256)
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, length, 4))]
    ranked = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    specific = [kind for kind in ranked if "HEIF" not in kind[0]]
    return (specific or ranked or [("a video", TAKE_FRAME)])[0]


def _from_text(head: bytes) -> tuple[str, str] | None:
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if wide else "utf-8-sig", errors="ignore")
    lost = len(head) - len(text.encode("utf-16-le" if wide else "utf-8"))
    if lost > 0.1 * len(head) + 3 or any(ord(c) < 32 and c not in "\t\n\r\f\x1b" for c in text):
        return None
    start = text.lstrip().lower()
    page = "a web page (HTML)", "open it in a browser and save the picture itself"
    if start.startswith(("<!doctype html", "<html")):
        return page
    if "<svg" in start:
        return "an SVG drawing", "export it as PNG"
    return page if "<html" in start else (TEXT, "name a picture")
