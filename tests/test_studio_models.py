"""The models folder: ids instead of paths, details of anybody's files, deletion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import write_picture
from PIL import Image

from ConSinGAN.errors import UsageError
from ConSinGAN.run import RunDirectory
from ConSinGAN.studio import entries
from ConSinGAN.studio.models import Models
from ConSinGAN.studio.uploads import Pictures, Upload, taken


@pytest.fixture
def models(trained: Callable[[str], Path], tmp_path: Path) -> Models:
    shutil.copytree(trained("generation"), tmp_path / "models" / "picture" / "run")
    return Models(tmp_path / "models")


def test_only_what_is_listed_has_a_path(models: Models, tmp_path: Path) -> None:
    ((key, path),) = models.paths().items()
    assert models.path(key) == path
    outside = shutil.copytree(path, tmp_path / "outside")
    (models.folder / "link").symlink_to(outside)
    shutil.copytree(path, models.folder / ".hidden" / "run")
    assert list(models.paths()) == [key]
    for wrong in ("", "..", "../outside", str(outside), str(path), None, 3, ["x"], {"path": "x"}):
        with pytest.raises(UsageError):
            models.path(wrong)


def test_what_is_told_of_a_run(models: Models, tmp_path: Path) -> None:
    ((_, path),) = models.paths().items()
    entry = entries.read(path)
    assert (entry.title, entry.mode, entry.size) == ("picture", "generation", (24, 16))
    assert entry.is_finished and entry.metrics == {}
    thumbnail = entry.thumbnail(tmp_path / "thumbnails")
    assert thumbnail is not None
    with Image.open(thumbnail) as picture:
        assert max(picture.size) == entries.THUMBNAIL
    (path / "Evaluation").mkdir()
    (path / entries.METRICS).write_text("metrics:\n  sifid_64:\n    value: 0.5\n")
    assert entry.metrics == {"sifid_64": 0.5}


def test_odd_files_of_strangers_do_no_harm(models: Models, tmp_path: Path) -> None:
    ((_, path),) = models.paths().items()
    secret = write_picture(tmp_path / "secret.png")
    (path / entries.SHEET).unlink()
    (path / entries.SHEET).symlink_to(secret)
    (path / "Evaluation").mkdir()
    for text in ("[", "metrics: 3", "metrics: {a: b}", "&a [*a]", "x: " + "[" * 5000):
        (path / entries.METRICS).write_text(text)
        assert entries.read(path).metrics == {}
    assert entries.read(path).sheet != path / entries.SHEET
    (path / "config.yaml").write_text("a: <script>alert(1)</script>\n")
    entry = entries.read(path)
    assert entry.config is None and "checksum" in entry.damage


def test_deleting(models: Models) -> None:
    ((key, path),) = models.paths().items()
    with RunDirectory(path).lock(), pytest.raises(UsageError, match="training this model"):
        models.delete(key, models.folder / ".studio")
    models.delete(key, models.folder / ".studio")
    assert models.paths() == {} and not path.parent.exists()
    with pytest.raises(UsageError, match="not there any more"):
        models.delete(key, models.folder / ".studio")


@pytest.mark.parametrize(
    ("name", "stem", "extension"),
    [
        ("a b.png", "a_b", ".png"),
        ("../../etc/passwd", "passwd", ""),
        ("..\\..\\x.JPG", "x", ".jpg"),
        ("<script>.png", "script", ".png"),
        ("...png", "picture", ".png"),
        ("x.sh", "x", ""),
        ("ü" * 300 + ".png", "ü" * 40, ".png"),
    ],
)
def test_names_of_uploads(name: str, stem: str, extension: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    upload = Upload(file, name)
    assert (upload.stem, upload.extension) == (stem, extension)
    kept = Pictures(tmp_path / "kept").keep(upload)
    assert kept.read_bytes() == b"content" and kept.parent.parent == tmp_path / "kept"


def test_only_uploads_are_taken(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    good = write_picture(uploads / "a.png")
    outside = write_picture(tmp_path / "b.png")
    (uploads / "link.png").symlink_to(outside)
    taken_one = taken({"path": str(good), "orig_name": "n.png"}, uploads)
    assert taken_one == Upload(good, "n.png")
    assert taken(None, uploads) is None
    for path in (outside, uploads / "link.png", uploads / ".." / "b.png", uploads, "/etc/passwd",
                 uploads / "none.png", "\0", 3, None):  # fmt: skip
        with pytest.raises(UsageError):
            taken({"path": path if path is None or isinstance(path, int) else str(path)}, uploads)
    for value in ("text", 3, [1], {}):
        with pytest.raises(UsageError):
            taken(value, uploads)
