"""All metrics together: `measure`, its report, and `python -m ConSinGAN.metrics`."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, Outcome, files_below, paint, write_picture
from picture_files import write_png
from PIL import Image
from specimens import blur, draw, grain, photo, write_inception
from torch import Tensor, nn

from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import MetricsConfig
from ConSinGAN.metrics import __main__ as command
from ConSinGAN.metrics import networks, patches, report
from ConSinGAN.metrics.report import Report, measure
from ConSinGAN.pictures.finding import find_pictures

Script = Callable[..., Outcome]

CPU = MetricsConfig(not_cuda=True)
EACH = ["sliced_wasserstein", "coherence", "completeness", "copying"]


@pytest.fixture(autouse=True)
def _no_weights(torch_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without networks."""
    monkeypatch.setitem(sys.modules, "lpips", None)


def values_of(measured: Report) -> dict[str, float]:
    return {name: entry["value"] for name, entry in measured.metrics.items()}


# A set of pictures ----------------------------------------------------------------------------


def test_equal_pictures_are_ideal() -> None:
    picture = photo("tissue", 40)
    measured = measure(picture, [picture.clone() for _ in range(3)], CPU)
    assert values_of(measured) == dict.fromkeys(EACH, 0) | {"copying": 1, "pixel_diversity": 0}
    assert [name for name, entry in measured.metrics.items() if "std" in entry] == EACH
    assert all(measured.metrics[name]["std"] == 0 for name in EACH)


def spoilt_photos() -> tuple[Tensor, list[Tensor]]:
    picture = photo("lakeside", 48)
    return picture, [grain(picture, 0.1), blur(picture, 1), grain(picture, 0.3), blur(picture, 0.5)]


def test_values_are_means_and_deviations_over_pictures() -> None:
    real, fakes = spoilt_photos()
    measured = measure(real, iter(fakes), MetricsConfig(not_cuda=True, seed=5))
    levels = torch.stack([patches.sliced_wasserstein(real, fake, 5) for fake in fakes])
    nearest = [patches.nearest_patches(real, fake) for fake in fakes]
    expected = {name: [getattr(n, name) for n in nearest] for name in EACH[1:]}
    expected |= {"sliced_wasserstein": levels.mean(dim=1).tolist()}
    for name, values in expected.items():
        entry = measured.metrics[name]
        assert entry["value"] == pytest.approx(np.mean(values), rel=1e-5)
        assert entry["std"] == pytest.approx(np.std(values, ddof=1), rel=1e-4)
        assert entry["std"] > 0
    by_level = levels.mean(dim=0).tolist()
    assert measured.metrics["sliced_wasserstein"]["levels"] == pytest.approx(by_level, rel=1e-5)
    diversity = patches.PixelDiversity(real)
    for fake in fakes:
        diversity.add(fake)
    expected_diversity = pytest.approx(diversity.value(), rel=1e-5)
    assert measured.metrics["pixel_diversity"] == {"value": expected_diversity}


def test_one_picture() -> None:
    measured = measure(draw(20, 24), [draw(20, 24, 1)], CPU)
    assert list(measured.metrics) == EACH
    assert not any("std" in entry for entry in measured.metrics.values())
    assert [note for note in measured.notes if "pixel diversity needs" in note]


def test_pictures_of_several_sizes() -> None:
    """Also of several numbers of levels: those that all have are told one by one."""
    sizes = [(64, 70), (20, 24), (64, 70)]
    real, fakes = draw(64, 64, 9), [draw(*size, seed) for seed, size in enumerate(sizes)]
    measured = measure(real, fakes, CPU)
    assert list(measured.metrics) == EACH
    finest = [float(patches.sliced_wasserstein(real, fake)[0]) for fake in fakes]
    (level,) = measured.metrics["sliced_wasserstein"]["levels"]
    assert level == pytest.approx(np.mean(finest), rel=1e-5)
    value = measured.metrics["sliced_wasserstein"]["value"]
    assert value == pytest.approx(level, rel=1e-5)  # the mean of the levels listed
    assert "the pictures differ in size: no pixel diversity" in measured.notes
    (note,) = (note for note in measured.notes if "one size" in note)
    assert "64x64 pixels, the others 70x64, 24x20" in note
    assert measured.about["sizes"] == {"70x64": 2, "24x20": 1}


def test_no_word_about_sizes_if_all_are_alike() -> None:
    notes = measure(draw(20, 24), [draw(20, 24, 1), draw(20, 24, 2)], CPU).notes
    assert len(notes) == 2
    assert "Inception" in notes[0]
    assert "LPIPS" in notes[1]


@pytest.mark.parametrize("small", [0, 2])
def test_a_tiny_picture_is_refused(small: int) -> None:
    fakes = [draw(20, 24, seed) for seed in range(3)]
    fakes[small] = draw(6, 24)
    with pytest.raises(UsageError, match="24x6 pixels is smaller than a patch"):
        measure(draw(20, 24), fakes, CPU)
    with pytest.raises(UsageError, match="24x6 pixels is smaller than a patch"):
        measure(draw(6, 24), [draw(20, 24)], CPU)


def test_sifid_where_there_are_weights(tmp_path: Path, torch_home: Path) -> None:
    path = write_inception(tmp_path / "weights.pth")
    config = MetricsConfig(not_cuda=True, inception_weights=str(path))
    real, fakes = spoilt_photos()
    measured, network = measure(real, fakes, config), networks.Inception.load(path)
    for dim in (64, 192):
        values = [networks.sifid(real, fake, network)[dim] for fake in fakes]
        entry = measured.metrics[f"sifid_{dim}"]
        assert entry["value"] == pytest.approx(np.mean(values), rel=1e-5)
        assert entry["std"] == pytest.approx(np.std(values, ddof=1), rel=1e-4)
    assert measured.about["settings"]["sifid"]["weights"] == str(path)
    assert not [note for note in measured.notes if "Inception" in note]

    write_inception(torch_home / "inception_v3_google-0cc3c7bd.pth")
    cached = measure(real, fakes, CPU)
    assert cached.metrics == measured.metrics
    assert cached.about["settings"]["sifid"]["weights"] == "IMAGENET1K_V1"


def test_pictures_too_unlike_for_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other metrics are still made, and those of other pictures."""
    monkeypatch.setattr(patches, "MAX_SEARCHED", 2000)
    real = draw(16, 16)
    measured = measure(real, [draw(300, 300, 1), draw(20, 16, 2)], CPU)
    assert "pictures" not in measured.metrics["sliced_wasserstein"]
    assert measured.metrics["coherence"]["pictures"] == 1
    assert any("differ too much in size" in note for note in measured.notes)


def test_sifid_of_pictures_too_small_for_it(tmp_path: Path) -> None:
    path = write_inception(tmp_path / "weights.pth")
    config = MetricsConfig(not_cuda=True, inception_weights=str(path))
    measured = measure(draw(8, 20), [draw(8, 20, seed) for seed in (1, 2, 3)], config)
    assert not [name for name in measured.metrics if "sifid" in name]
    assert measured.notes.count("sifid_64 needs pictures of at least 9 pixels") == 1


class Difference(nn.Module):
    """Stands for LPIPS."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs().mean(dim=(1, 2, 3), keepdim=True)


def test_lpips_diversity_of_the_first_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "load_lpips", Difference)
    monkeypatch.setattr(report, "MAX_LPIPS", 3)
    fakes = [torch.full((1, 3, 31, 32), level) for level in (0.0, 0.5, 1.0, -1.0, -0.7)]
    measured = measure(draw(31, 32), fakes, CPU)
    assert measured.metrics["lpips_diversity"] == {"value": pytest.approx(2 / 3, rel=1e-5)}
    assert measured.about["settings"]["lpips_diversity"]["pictures"] == 3
    small = measure(draw(30, 32), [draw(30, 32, 1), draw(30, 32, 2)], CPU)
    assert "lpips_diversity" not in small.metrics
    assert [note for note in small.notes if "LPIPS needs pictures of at least 31" in note]


@pytest.mark.parametrize("with_lpips", [False, True])
def test_memory_does_not_grow_with_the_number(
    with_lpips: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_lpips:
        monkeypatch.setattr(networks, "load_lpips", Difference)
        monkeypatch.setattr(report, "MAX_LPIPS", 10)
    drawn: list[weakref.ref] = []
    alive = []

    def pictures() -> Iterator[Tensor]:
        for seed in range(200):
            picture = draw(9, 9, seed)
            drawn.append(weakref.ref(picture))
            yield picture
            del picture
            alive.append(sum(reference() is not None for reference in drawn))

    measured = measure(draw(9, 9), pictures(), CPU)
    assert measured.about["num_samples"] == len(alive) == 200
    assert max(alive) <= 2 + 10 * with_lpips


def test_the_report_in_words_and_as_yaml() -> None:
    real, fakes = spoilt_photos()
    measured = measure(real, fakes, MetricsConfig(not_cuda=True, seed=3))
    content = yaml.safe_load(measured.to_yaml())
    assert content["metrics"] == measured.metrics
    assert content["notes"] == measured.notes
    assert (content["num_samples"], content["seed"]) == (4, 3)
    height, width = real.shape[-2:]
    assert content["real_size"] == f"{width}x{height}"
    assert content["sizes"] == {f"{width}x{height}": 4}
    constants = content["settings"]["sliced_wasserstein"]
    assert (constants["patch"], constants["num_directions"]) == (7, 128)
    head, *lines = measured.to_table().splitlines()
    assert head.split() == ["metric", "value", "+-", "meaning"]
    rows = [line for line in lines if not line.startswith("note: ")]
    assert [row.split()[0] for row in rows] == [*EACH, "pixel_diversity"]
    assert float(rows[1].split()[1]) == pytest.approx(measured.metrics["coherence"]["value"], 1e-3)
    assert float(rows[1].split()[2]) == pytest.approx(measured.metrics["coherence"]["std"], 1e-3)
    assert lines[len(rows) :] == [f"note: {note}" for note in measured.notes]


# The command ----------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a picture and a folder of three more."""
    folder = tmp_path / "desk"
    (folder / "fakes").mkdir(parents=True)
    write_picture(folder / "real.png")
    for index in range(3):
        write_picture(folder / "fakes" / f"{index}.png", seed=index + 1)
    monkeypatch.chdir(folder)
    return folder


def content_of(path: str | Path) -> dict:
    return yaml.safe_load(Path(path).read_text())


def test_files_and_folders(desk: Path, script: Script) -> None:
    outcome = script(command, "real.png", "fakes", "--not_cuda")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("done: metrics.yaml\n")
    assert files_below(desk) == {"real.png", "metrics.yaml", *(f"fakes/{i}.png" for i in range(3))}
    content = content_of("metrics.yaml")
    assert content["num_samples"] == 3
    assert (content["real"], content["samples"]) == ("real.png", ["fakes"])

    (desk / "one").mkdir()
    (desk / "real.png").rename(desk / "one" / "real.png")
    words = ["one", *(f"fakes/{i}.png" for i in range(3)), "--output", "again.yaml", "--seed", 0]
    assert script(command, *words).code == 0
    again = content_of("again.yaml")
    assert (again["metrics"], again["sizes"]) == (content["metrics"], {"48x32": 3})
    assert script(command, *words[:-1], 1).code == 0
    other = content_of("again.yaml")["metrics"]
    assert other["coherence"] == content["metrics"]["coherence"]
    assert other["sliced_wasserstein"] != content["metrics"]["sliced_wasserstein"]


def test_pictures_of_a_folder_in_natural_order(tmp_path: Path) -> None:
    names = ["a.PNG", "gen_sample_0.jpg", "gen_sample_2.png", "gen_sample_10.png", "z.webp"]
    for name in [*names, "notes.txt", ".hidden.png", "metrics.yaml"]:
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(str(tmp_path), "FAKE")] == names


def few_colours() -> Image.Image:
    return Image.fromarray(paint(seed=1)).quantize(64).convert("RGB")


SAME_PIXELS: dict[str, Callable[[Image.Image, str], object]] = {
    "a.bmp": lambda picture, name: picture.save(name),
    "a.tiff": lambda picture, name: picture.save(name),
    "a.webp": lambda picture, name: picture.save(name, lossless=True),
    "a.gif": lambda picture, name: picture.quantize(64).save(name),
    "alpha.png": lambda picture, name: picture.convert("RGBA").save(name),
    "palette.png": lambda picture, name: picture.quantize(64).save(name),
    "deep.png": lambda picture, name: write_png(
        Path(name), np.asarray(picture).astype(np.uint16) * 257
    ),
}


@pytest.mark.parametrize("name", SAME_PIXELS)
def test_the_kind_of_file_does_not_matter(name: str, desk: Path, script: Script) -> None:
    few_colours().save("a.png")
    SAME_PIXELS[name](few_colours(), name)
    metrics = []
    for words in (["real.png", "a.png"], ["real.png", name], [name, "real.png"],
                  ["a.png", "real.png"]):  # fmt: skip
        assert script(command, *words, "--not_cuda").code == 0
        metrics.append(content_of("metrics.yaml")["metrics"])
    assert metrics[0] == metrics[1]
    assert metrics[2] == metrics[3]
    assert metrics[0]["coherence"]["value"] > 1


LONG = "x" * 300 + ".png"


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["real.png", "nothing"], "FAKE nothing: there is no picture in this folder", 2),
        (["nothing", "real.png"], "REAL nothing: there is no picture in this folder", 2),
        (["real.png", "none.png"], "FAKE none.png: there is no such file", 2),
        (["none.png", "real.png"], "REAL none.png: there is no such file", 2),
        (["real.png", "real.png", "text.png"], "FAKE text.png: is not a readable picture", 2),
        (["text.png", "real.png"], "REAL text.png: is not a readable picture", 2),
        (["fakes", "real.png"], "REAL fakes: has 3 pictures in it", 2),
        (["real.png", "tiny.png"], "FAKE tiny.png: a picture of 6x6 pixels", 2),
        (["real.png", "fakes", "--seed", "x"], "--seed", 2),
        (["real.png", "fakes", "--seed", "-1"], "--seed must be at least 0", 2),
        (["real.png", "fakes", "--colour", "red"], "--colour", 2),
        (["real.png", "fakes", "--gpu", "0", "--not_cuda"], "--gpu 0 and --not_cuda", 2),
        (["real.png", "fakes", "--max_megapixels", "0.001"], "--max_megapixels 0.001", 2),
        (["real.png", "fakes", "--inception_weights", "none.pth"],
         "--inception_weights none.pth: there is no such file", 2),
        (["real.png", "fakes", "--inception_weights", "text.png"],
         "--inception_weights text.png: does not hold", 2),
        (["real.png"], "FAKE", 2),
        ([], "REAL", 2),
        (["real.png", "fakes", "--output", "none/metrics.yaml"],
         "--output 'none/metrics.yaml': there is no folder", 2),
        (["real.png", "fakes", "--output", "fakes"], "--output 'fakes': is a folder", 2),
        (["real.png", "fakes", "--output", "real.png/metrics.yaml"], "--output 'real.png/", 2),
        (["real.png", "fakes", "--output", ""], "--output", 2),
        (["real.png", "fakes", "--output", "/dev/null"], "--output '/dev/null': is no ordinary", 2),
        (["real.png", "fakes", "--output", "real.png"], "is one of the pictures", 2),
        (["real.png", "fakes", "--output", "fakes/../real.png"], "is one of the pictures", 2),
        (["real.png", LONG], "FAKE", 2),
        ([LONG, "real.png"], "REAL", 2),
        (["real.png", ""], "FAKE: the name is empty", 2),
    ],
)  # fmt: skip
def test_wrong_words(words: list[str], message: str, code: int, desk: Path, script: Script) -> None:
    (desk / "nothing").mkdir()
    (desk / "text.png").write_text("not a picture")
    write_picture(desk / "tiny.png", 6, 6)
    before = {name: (desk / name).read_bytes() for name in files_below(desk)}
    outcome = script(command, *words)
    assert (outcome.code, outcome.out) == (code, ""), outcome.err
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert {name: (desk / name).read_bytes() for name in files_below(desk)} == before


def test_from_a_shell(desk: Path) -> None:
    """Another working directory, default warnings."""
    words = [sys.executable, "-W", "default", "-m", "ConSinGAN.metrics", "real.png", "fakes"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TORCH_HOME": str(desk)}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("metric ")
    assert content_of("metrics.yaml")["num_samples"] == 3
