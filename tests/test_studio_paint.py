"""What the picture editor sends, as files of the session's: exactly the picture's pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import paint, write_picture
from PIL import Image

pytest.importorskip("gradio", reason="the studio needs Gradio")

from ConSinGAN.errors import UsageError
from ConSinGAN.studio import editor


def upload(folder: Path, name: str, pixels: np.ndarray, **how: Any) -> dict[str, str]:
    """A file as Gradio receives it."""
    path = folder / "abc" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **how)
    return {"path": str(path)}


def painted(height: int = 33, width: int = 47) -> np.ndarray:
    """A mask of odd shape, uint8 (H, W)."""
    rng = np.random.default_rng(1)
    return np.where(rng.random((height, width)) < 0.3, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_mask_is_what_was_painted_pixel_by_pixel(tmp_path: Path, mode: str) -> None:
    mask, picture = painted(), paint(33, 47)
    sent = np.asarray(Image.fromarray(mask).convert(mode))
    value = {
        "picture": upload(tmp_path / "up", "picture.png", picture),
        "mask": upload(tmp_path / "up", "mask.png", sent),
    }
    got = editor.composed(value, tmp_path / "up", tmp_path / "session")
    assert got.mask is not None
    with Image.open(got.mask) as read, Image.open(got.picture) as composed:
        assert read.mode == "L" and read.size == (47, 33)
        assert np.array_equal(np.asarray(read), mask)
        assert np.array_equal(np.asarray(composed), picture)
    assert got.mask.parent == got.picture.parent
    assert got.picture.is_relative_to(tmp_path / "session")
    twice = editor.composed(value, tmp_path / "up", tmp_path / "session")
    assert twice.mask is not None and twice.mask.read_bytes() == got.mask.read_bytes()


def test_without_a_mask_there_is_none(tmp_path: Path) -> None:
    value = {"picture": upload(tmp_path / "up", "picture.png", paint()), "mask": None}
    got = editor.composed(value, tmp_path / "up", tmp_path / "session")
    assert got.mask is None and [one.name for one in got.picture.parent.iterdir()] == [
        got.picture.name
    ]


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    value = {
        "picture": upload(tmp_path / "up", "picture.png", paint()),
        "mask": upload(tmp_path / "up", "mask.png", painted()),
    }
    with pytest.raises(UsageError, match="not of the picture's size"):
        editor.composed(value, tmp_path / "up", tmp_path / "session")


@pytest.mark.parametrize(
    "value", [None, 5, "x", [], {}, {"picture": None}, {"picture": 7}, {"picture": {}},
              {"picture": {"path": "/etc/passwd"}}, {"picture": {"path": "../secret.png"}},
              {"picture": {"path": "http://127.0.0.1/x.png"}}, {"picture": {"path": ["x"]}},
              {"picture": {"path": "\0"}}],
)  # fmt: skip
def test_only_uploads_are_opened(tmp_path: Path, value: Any) -> None:
    (tmp_path / "up").mkdir()
    with pytest.raises(UsageError):
        editor.composed(value, tmp_path / "up", tmp_path / "session")
    assert not (tmp_path / "session").exists()


def test_files_outside_links_and_other_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    outside = Path(upload(tmp_path / "other", "secret.png", paint())["path"])
    link = tmp_path / "up" / "link.png"
    link.symlink_to(outside)
    gif = tmp_path / "up" / "picture.png"
    Image.fromarray(paint()).save(gif, "gif")
    (tmp_path / "up" / "text.png").write_text("<svg onload=alert(1)>")
    for path in (outside, link, gif, tmp_path / "up" / "text.png", tmp_path / "up"):
        with pytest.raises(UsageError):
            value = {"picture": {"path": str(path)}}
            editor.composed(value, tmp_path / "up", tmp_path / "session")


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    """12 thousand megapixels in a few bytes: known by the header."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 110_000, 110_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "bomb.png").write_bytes(data)
    with pytest.raises(UsageError):
        value = {"picture": {"path": str(tmp_path / "up" / "bomb.png")}}
        editor.composed(value, tmp_path / "up", tmp_path / "session")


def test_a_fill_is_compared_with_what_was_composed(tmp_path: Path) -> None:
    """Not the picture with the hole in it, which is drawn first."""
    from ConSinGAN.studio.drawing import Result
    from ConSinGAN.studio.tabs import paint as tab

    names = ("reconstruction", "hole", "inpainted_0", "inpainted_1")
    files = tuple(write_picture(tmp_path / f"{name}.png", 20, 30) for name in names)
    result = Result(files, {"task": "inpainting"})
    assert [path.stem for path in result.pictures[:2]] == ["inpainted_0", "inpainted_1"]
    given = write_picture(tmp_path / "composed.png", 10, 15)
    pair = tab._compared(result, editor.Composed(given, None))
    assert pair is not None and pair[1].stem == "inpainted_0"
    with Image.open(pair[0]) as before:
        assert before.size == (30, 20)
