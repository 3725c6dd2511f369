"""What the studio draws: the command line's files to the byte, and its settings back."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Outcome, write_mask, write_picture
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import evaluate_model

pytest.importorskip("gradio", reason="the studio needs Gradio")

from ConSinGAN.errors import UsageError
from ConSinGAN.registry import TASKS
from ConSinGAN.studio import asking, settings
from ConSinGAN.studio.drawing import KEPT, Artist, Cancelled, Result, command_line
from ConSinGAN.studio.models import Models

Script = Callable[..., Outcome]
# Tasks, models and options; pictures are named by file.
DRAWN: list[tuple[str, str, dict[str, Any]]] = [
    ("samples", "generation", {"num_samples": 2, "scale_h": 1.5, "seed": 2**62}),
    ("samples", "generation", {"num_samples": 2, "near": "3/1", "size": (40, 31), "tile": 16}),
    ("samples", "generation", {"num_samples": 1, "size": (20, 31), "format": "tif"}),
    ("samples", "inpainting", {"num_samples": 1, "first": 7, "scale_h": 1.0}),
    ("retarget", "retarget", {"num_samples": 1, "scale_w": 2.0, "format": "jpg"}),
    ("animation", "animation", {"num_frames": 3, "moves_from": 1, "beta": 0.9, "loop": True}),
    ("animation", "animation", {"num_frames": 4, "moves_from": 0, "beta": 0.9, "format": "mp4"}),
    ("outpainting", "generation", {"num_samples": 2, "extend": (0, 4, 3, 0)}),
    ("texture", "generation", {"num_samples": 1, "wrap": "horizontal"}),
    ("style", "style", {"content_img": "given.png", "match_colours": "mean"}),
    ("paint", "paint", {"naive_img": "given.png", "size": (30, 40)}),
    ("harmonization", "harmonization", {"naive_img": "given.png", "mask": "painted.png"}),
    ("editing", "editing", {"naive_img": "given.png", "precision": "fp32"}),
    ("inpainting", "inpainting", {"num_samples": 2, "full_size": True}),
    ("super_resolution", "super_resolution", {"self_ensemble": False}),
    ("dehazing", "dehazing", {}),
]


@pytest.fixture(scope="module")
def artist_of(trained: Callable[[str], Path]) -> Iterator[Callable[[str], tuple[Artist, str]]]:
    """An artist for the models of a mode, and the id of the one that there is."""
    open_ones: dict[str, Artist] = {}

    def make(mode: str) -> tuple[Artist, str]:
        run = trained(mode)
        models = Models(run.parent.parent)
        artist = open_ones.setdefault(mode, Artist(models))
        return artist, models.id_of(run)

    yield make
    for artist in open_ones.values():
        artist.__exit__()


def draw(artist: Artist, key: str, flags: dict[str, Any], folder: Path) -> Result:
    """What is drawn; raises what goes wrong."""
    result = artist.ask(key, flags, folder).wait()
    assert result is not None
    return result


def files(folder: Path) -> dict[str, bytes]:
    """All files below, but the list of them."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != ".manifest"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize(("task", "mode", "flags"), DRAWN, ids=lambda value: str(value)[:24])
def test_the_command_gives_the_same_files(
    artist_of: Any, script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    task: str, mode: str, flags: dict[str, Any],
) -> None:  # fmt: skip
    given = tmp_path / "session"
    given.mkdir()
    write_picture(given / "given.png", seed=1)
    write_mask(given / "painted.png")
    artist, key = artist_of(mode)
    paths = {n: str(given / v) for n, v in flags.items() if asking.SCHEMA.is_path(n)}
    result = draw(artist, key, {"task": task, **flags, **paths}, tmp_path / "studio")
    assert result.pictures or result.films or flags["format"] == "tif"
    shutil.copytree(given, tmp_path / "downloaded")
    monkeypatch.chdir(tmp_path / "downloaded")
    python, name, *words = shlex.split(command_line(result.flags))
    assert (python, name) == ("python", "evaluate_model.py")
    done = script(evaluate_model, *words, "--output_dir", tmp_path / "shell")
    assert done.code == 0, done.err
    assert files(tmp_path / "studio") == files(tmp_path / "shell") != {}


@pytest.mark.parametrize("kind", ["png", "tif", "yaml"])
def test_settings_come_back_and_give_the_same_file(
    artist_of: Any, tmp_path: Path, kind: str
) -> None:
    artist, key = artist_of("generation")
    flags: dict[str, Any] = {"num_samples": 3, "near": "4", "size": (20, 30), "seed": 7}
    flags["format"] = "jpg" if kind == "yaml" else kind
    first = draw(artist, key, {"task": "samples", **flags}, tmp_path / "first")
    name = "random_samples_size_h_20_w_30/gen_sample_2"
    file = tmp_path / "first" / ("settings.yaml" if kind == "yaml" else f"{name}.{kind}")
    found = settings.read(file)
    assert found.find_model(artist.models) == key
    values = asking.again(found.task, found.values, found.drawing)
    assert values["seed"] == 7 and values["near"] == "4"
    if kind == "yaml":
        assert found.drawing == ""
        return
    assert (found.drawing, values["first"], values["num_samples"]) == (name, 2, 1)
    again = draw(artist, key, {"task": found.task, "format": kind, **values}, tmp_path / "again")
    assert (tmp_path / "again" / f"{name}.{kind}").read_bytes() == file.read_bytes()
    assert len(again.files) < len(first.files)


def test_settings_of_given_pictures_are_names_and_checksums(artist_of: Any, tmp_path: Path) -> None:
    artist, key = artist_of("style")
    content = write_picture(tmp_path / "given.png", seed=1)
    flags = {"task": "style", "content_img": str(content)}
    result = draw(artist, key, flags, tmp_path / "out")
    found = settings.read(next(path for path in result.files if path.stem == "styled_given"))
    assert found.names == {"content_img": "given.png"}
    assert found.files == {"content_img": settings.checksum(content)}
    assert "content_img" not in found.values


def embedded(path: Path, text: str, keyword: str = "ConSinGAN") -> Path:
    """A picture that carries a text."""
    chunks = PngInfo()
    chunks.add_itxt(keyword, text, zip=True)
    Image.new("RGB", (4, 4)).save(path, pnginfo=chunks)
    return path


GOOD = {"model": "x", "task": "samples", "seed": 1, "options": {"start_scale": 1}}
BAD = [
    "", "[]", "no yaml: [", "a: &a [1]\nb: *a", "{}", "task: samples", "model: 5\ntask: samples",
    "&x a: " + "[" * 3000, "? [1]\n: 2", yaml.safe_dump({**GOOD, "task": "../samples"}),
    yaml.safe_dump({**GOOD, "task": ["samples"]}), yaml.safe_dump({**GOOD, "seed": -1}),
    yaml.safe_dump({**GOOD, "seed": "1; rm"}), yaml.safe_dump({**GOOD, "options": [1]}),
    yaml.safe_dump({**GOOD, "options": {"start_scale": 10**9}}),
    yaml.safe_dump({**GOOD, "options": {"fps": 10}}), yaml.safe_dump({**GOOD, "options": {"x": 1}}),
    yaml.safe_dump({**GOOD, "options": {"near": {"a": 1}}}), "!!python/object/apply:os.system [ls]",
    yaml.safe_dump({**GOOD, "precision": "fp64"}), "\0", "a" * 10**6, "task: !!binary x",
    yaml.safe_dump({**GOOD, "options": {"size": list(range(1000))}}),
    yaml.safe_dump({**GOOD, "files": "x", "options": {}}),
    "model: x\ntask: samples\noptions: {" + ", ".join(f"k{i}: 1" for i in range(3000)) + "}",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("kind", ["png", "yaml"])
def test_a_strangers_settings_are_one_line(tmp_path: Path, text: str, kind: str) -> None:
    path = tmp_path / f"file.{kind}"
    if kind == "png":
        embedded(path, text)
    else:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        settings.read(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1100


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"II*\0" + b"\xff" * 50, b"\xff"])
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.png").write_bytes(content)
    with pytest.raises(UsageError):
        settings.read(tmp_path / "file.png")
    with pytest.raises(UsageError, match="carries no settings"):
        settings.read(embedded(tmp_path / "other.png", yaml.safe_dump(GOOD), "Comment"))


@pytest.mark.parametrize("model", ["../../etc/passwd", "/etc", "C:\\x\\..", "", "..", "a/../../b"])
def test_settings_name_no_path(artist_of: Any, tmp_path: Path, model: str) -> None:
    artist, _ = artist_of("generation")
    options = {"content_img": "../../../etc/passwd"}
    text = yaml.safe_dump({"model": model, "task": "style", "options": options})
    found = settings.read(embedded(tmp_path / "file.png", text))
    assert found.names == {"content_img": "passwd"}
    assert not {"/", "\\", ".."} & {*found.model, found.model}
    assert settings.as_values(found) == {"seed": 0, "task": "style"}
    with pytest.raises(UsageError, match="there is no model"):
        found.find_model(artist.models)


@pytest.mark.parametrize(
    ("flags", "option"),
    [
        ({"num_samples": 10**6}, "num_samples"), ({"size": (30000, 30000)}, "size"),
        ({"scale_h": 100.0, "scale_w": 100.0, "num_samples": 90}, "scale_w"),
        ({"task": "outpainting", "extend": (9000, 0, 9000, 9000), "num_samples": 9}, "extend"),
        ({"task": "animation", "num_frames": 5000}, "num_frames"),
        ({"task": "harmonization"}, "task"), ({"start_scale": 9}, "start_scale"),
        ({"near": "x"}, "near"), ({"no": 1}, None), ({"model_dir": "/etc"}, "model_dir"),
    ],
)  # fmt: skip
def test_what_is_wrong_names_its_option_and_leaves_nothing(
    artist_of: Any, tmp_path: Path, flags: dict[str, Any], option: str | None
) -> None:
    artist, key = artist_of("generation")
    with pytest.raises(UsageError) as caught:
        draw(artist, key, {"task": "samples", **flags}, tmp_path / "out")
    assert caught.value.option == option
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("key", ["", "../x", "/etc", None, 7, ["a"], "0" * 20])
def test_only_listed_models_are_opened(artist_of: Any, tmp_path: Path, key: Any) -> None:
    artist, _ = artist_of("generation")
    with pytest.raises(UsageError, match="the model is not there"):
        draw(artist, key, {"task": "samples"}, tmp_path / "out")


def test_an_order_can_be_stopped(artist_of: Any, tmp_path: Path) -> None:
    artist, key = artist_of("generation")
    long = {"task": "animation", "num_frames": 1000}
    orders = [artist.ask(key, long, tmp_path / str(number)) for number in range(2)]
    while not orders[0].done:
        assert orders[0].wait(0.02) is None
    for order in orders:
        order.cancel()
    for order in orders:
        with pytest.raises(Cancelled):
            order.wait(60)
    result = draw(artist, key, {"task": "samples", "num_samples": 1}, tmp_path / "next")
    assert result.pictures


def test_few_models_are_kept_open(trained: Callable[[str], Path], tmp_path: Path) -> None:
    modes = ["generation", "retarget", "animation", "inpainting"][: KEPT + 2]
    for mode in modes:
        run = trained(mode)
        shutil.copytree(run, tmp_path / "models" / mode / run.name)
    with Artist(Models(tmp_path / "models")) as artist:
        for number, key in enumerate(artist.models.finished()):
            flags = {"task": "samples", "num_samples": 1, "scale_h": 1.0}
            draw(artist, key, flags, tmp_path / str(number))
        assert number == len(modes) - 1
        assert len(artist._open) == KEPT


def test_every_task_has_a_place(trained: Callable[[str], Path]) -> None:
    both = [*asking.all_tasks(), *asking.all_tasks(given=True)]
    assert sorted(both) == sorted(TASKS.names())
    for name in TASKS.names():
        options = TASKS.find(name).options()
        shown = set(asking.names_of([name]))
        own = set() if options is None else set(options.__dataclass_fields__)  # type: ignore[attr-defined]
        assert {one for one in own if not asking.SCHEMA.is_path(one)} <= shown
