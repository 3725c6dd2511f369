"""ZIP files of runs: what goes out comes in again, and nothing else does."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import files_below

from ConSinGAN.errors import UsageError
from ConSinGAN.run import RunDirectory
from ConSinGAN.studio import archives
from ConSinGAN.studio.models import Models


def check(path: Path) -> None:
    RunDirectory.open(path).load_model()


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes()
            for p in sorted(folder.rglob("*")) if p.is_file()}  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """The models folder and the studio's own."""
    own = tmp_path / "models" / ".studio"
    own.mkdir(parents=True)
    return own.parent, own


@pytest.fixture
def packed(trained: Callable[[str], Path], tmp_path: Path) -> Path:
    archives.pack(trained("generation"), tmp_path / "run.zip")
    return tmp_path / "run.zip"


def remake(source: Path, target: Path, change: Callable[[str, bytes], list]) -> Path:
    """Copy a ZIP file; change gives what to write for every entry: (name or info, content)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            for name, content in change(info.filename, old.read(info)):
                new.writestr(name, content)
    return target


def test_what_goes_out_comes_in(
    trained: Callable[[str], Path], packed: Path, places: tuple[Path, Path]
) -> None:
    models, own = places
    first = archives.unpack(packed, models, own, check)
    second = archives.unpack(packed, models, own, check)
    assert second.name == f"{first.name}_2"
    run = trained("generation")
    before = {n: c for n, c in everything(run).items() if "events.out" not in n}
    assert everything(first) == before == everything(second)
    assert set(Models(models).paths().values()) == {first, second}
    assert list(own.iterdir()) == []


def test_at_the_top_level_too(packed: Path, tmp_path: Path, places: tuple[Path, Path]) -> None:
    flat = remake(packed, tmp_path / "b.zip", lambda n, c: [(n.partition("/")[2], c)])
    assert (archives.unpack(flat, *places, check) / "config.yaml").is_file()


BAD_NAMES = [
    "../outside.txt", "run/../../outside.txt", "/outside.txt", "C:/outside.txt", "run\\..\\x",
    "run/./x", "run//x", "run/a\nb", "run/" + "n" * 300, "..", "run/ ../x", "run/nul\0.txt",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_names_that_lead_elsewhere(
    name: str, packed: Path, tmp_path: Path, places: tuple[Path, Path]
) -> None:
    bad = tmp_path / "bad.zip"
    shutil.copy(packed, bad)
    info = zipfile.ZipInfo("x")
    info.filename = name  # as it is; the constructor would mend it
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr(info, b"x")
    before = files_below(tmp_path)
    if "\0" in name:  # reading cuts it there
        archives.unpack(bad, *places, check)
        return
    with pytest.raises(UsageError, match=r"lead elsewhere|odd|damaged|cannot"):
        archives.unpack(bad, *places, check)
    assert files_below(tmp_path) == before


def test_links_are_refused(packed: Path, tmp_path: Path, places: tuple[Path, Path]) -> None:
    link = zipfile.ZipInfo("run/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UsageError, match="links"):
        archives.unpack(packed, *places, check)


def test_bombs_are_refused(packed: Path, places: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/zeros", bytes(200 * 2**20))
    with pytest.raises(UsageError, match="more than a model can be"):
        archives.unpack(packed, *places, check)


def test_sizes_are_counted_not_believed(
    packed: Path, places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the headers say: no more than the limit is written."""
    monkeypatch.setattr(archives, "_looked_at", lambda archive: (
        "run", [(i, archives.PurePosixPath(i.filename)) for i in archive.infolist()]
    ))  # fmt: skip
    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    with pytest.raises(UsageError, match="more than a model can be"):
        archives.unpack(packed, *places, check)


def test_too_many_files(packed: Path, places: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packed, "a") as archive:
        for number in range(archives.MOST_FILES):
            archive.writestr(f"run/{number}", b"")
    with pytest.raises(UsageError, match="more than 5000 files"):
        archives.unpack(packed, *places, check)


def _replacing(end: str, by: bytes | None) -> Callable[[str, bytes], list]:
    """Other content for the file whose name ends so; None: without it."""

    def change(name: str, content: bytes) -> list:
        if not name.endswith(end):
            return [(name, content)]
        return [] if by is None else [(name, by)]

    return change


def test_no_model_no_entry(tmp_path: Path, packed: Path, places: tuple[Path, Path]) -> None:
    """What is no ZIP, has no run in it, or a run that the house does not open, leaves nothing."""
    text, empty = tmp_path / "a.txt", tmp_path / "b.zip"
    text.write_bytes(b"no archive")
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", b"x")
    files = [text, empty]
    for name, content in (
        ("noise.safetensors", b"x"), ("config.yaml", b"niter: 1\n"), ("1/netG.safetensors", None),
    ):  # fmt: skip
        files.append(remake(packed, tmp_path / f"{len(files)}.zip", _replacing(name, content)))
    for file in files:
        with pytest.raises(UsageError):
            archives.unpack(file, *places, check)
    models, own = places
    assert files_below(models) == set() and list(own.iterdir()) == []
