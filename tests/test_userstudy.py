"""The yardstick of picture quality: same JPEG, the Fréchet distance, wins, tables, restarts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image
from scipy import linalg
from specimens import blur, draw, grain, photo
from torch import Tensor

from ConSinGAN import images

sys.path.insert(0, str(ROOT / "benchmarks"))

import userstudy
from yardstick import Encoding, Stem


@pytest.fixture(scope="module")
def stem() -> Stem:
    return Stem.load()


def write(path: Path, picture: Tensor, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(images.to_bytes(picture)[0]).save(path, **how)
    return path


# JPEG as another file has it ------------------------------------------------------------------


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_saved_as_the_other_file_was(tmp_path: Path, quality: int, subsampling: int) -> None:
    how = {"quality": quality, "subsampling": subsampling}
    theirs = write(tmp_path / "theirs.jpg", photo("gravel"), **how)
    picture = photo("tissue")
    expected = write(tmp_path / "expected.jpg", picture, **how)
    encoding = Encoding.of(theirs)
    assert encoding == Encoding.of(expected)
    assert torch.equal(encoding.apply(picture), images.read_image(expected))
    ours = tmp_path / "ours.jpg"
    ours.write_bytes(encoding.encode(picture))
    assert Encoding.of(ours) == encoding


def test_other_tables_are_another_encoding(tmp_path: Path) -> None:
    """Tables that no quality number makes, one for all colours among them."""
    lumas = [list(range(1, 65)), [5] * 64]
    for i, tables in enumerate(([lumas[0], lumas[1]], [lumas[0]])):
        theirs = write(tmp_path / f"{i}.jpg", photo("gravel"), qtables=tables, subsampling=1)
        encoding = Encoding.of(theirs)
        assert encoding == Encoding(tuple(map(tuple, tables)), 1)
        assert torch.equal(encoding.apply(photo("gravel")), images.read_image(theirs))


def test_only_colour_jpeg_is_an_example(tmp_path: Path) -> None:
    png = write(tmp_path / "a.png", photo("gravel"))
    Image.open(png).convert("L").save(tmp_path / "grey.jpg")
    for path in (png, tmp_path / "grey.jpg"):
        with pytest.raises(ValueError, match="three colours"):
            Encoding.of(path)


def test_smaller_pictures_are_compressed_again(tmp_path: Path) -> None:
    path = write(tmp_path / "0.jpg", photo("tissue"), quality=40)
    picture = images.read_image(path)
    assert torch.equal(userstudy.picture_at(path, tuple(picture.shape[-2:])), picture)
    small = userstudy.picture_at(path, (20, 30))
    assert small.shape == (1, 3, 20, 30)
    plain = userstudy.resize(picture, size=(20, 30))
    assert torch.equal(small, Encoding.of(path).apply(plain))


# The Fréchet distance -------------------------------------------------------------------------


def test_distance_is_the_textbook_formula(stem: Stem) -> None:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of the features, with scipy's square root."""
    real, fake = photo("tissue"), blur(photo("tissue"), 1)
    moments = []
    for picture in (real, fake):
        samples = stem.features(picture)[0].flatten(1).double().numpy()
        assert len(samples) == 32
        moments.append((samples.mean(axis=1), np.cov(samples)))
    (m1, s1), (m2, s2) = moments
    s1, s2 = (s + 1e-9 * np.eye(32) for s in (s1, s2))  # some features are 0 everywhere
    cross = linalg.sqrtm(s1 @ s2).real.trace()
    expected = ((m1 - m2) ** 2).sum() + s1.trace() + s2.trace() - 2 * cross
    value = stem.distance(stem.statistics(real), fake)
    assert value == pytest.approx(expected, rel=1e-4)


def test_distance_grows_with_damage(stem: Stem) -> None:
    real = photo("gravel")
    at_real = stem.statistics(real)
    assert stem.distance(at_real, real) == 0
    values = [stem.distance(at_real, grain(real, sigma)) for sigma in (0.02, 0.1, 0.5)]
    assert 0 < values[0] < values[1] < values[2]


def test_no_resizing(stem: Stem) -> None:
    """Half the positions, whatever the size."""
    for height, width in ((20, 31), (33, 64)):
        features = stem.features(draw(height, width))
        assert features.shape == (1, 32, height // 2, width // 2)


# Results --------------------------------------------------------------------------------------


def made_up(samples: list[float], theirs: float) -> dict:
    """Results of one picture with one metric."""
    own = {
        "size": "30x20", "hardware": "here", "minutes": 1.5, "processor_minutes": None,
        "as_saved_by": {"them": {"samples": [{"frechet": x} for x in samples]}},
    }  # fmt: skip
    return {"published": {"them": {"30x20": {"frechet": theirs}}}, "ours": {"default": own}}


def test_wins_are_counted_over_pictures_and_seeds() -> None:
    results = {"0": made_up([1.0, 2.0, 3.0], 2.5), "1": made_up([1.0, 2.0, 3.0], 1.0)}
    assert userstudy.count_wins(results, "default", "them", "frechet") == (2.5, 6)
    text = userstudy.tables(results, ["default"], ["them"])
    assert "| 0, them | 2.5 |" in text
    assert "| 1, default | 2 | 1.5 |  |" in text
    assert "| them | 1.75 |" in text
    assert "| default against them | 2.5 of 6 |" in text


def test_real_run_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains, draws, measures, writes; again: nothing is trained, and the values are the same."""
    write(tmp_path / "real/7.jpg", photo("tissue", 40), quality=90)
    write(tmp_path / "them/7.jpg", grain(photo("tissue", 40), 0.1), quality=50, subsampling=0)
    flags = "--not_cuda --threads 1 --train_stages 2 --min_size 12 --max_size 24 --nfc 4"
    words = [
        *(str(tmp_path / x) for x in ("real", "them")),
        "--common",
        f"{flags} --niter 20",
        "--seeds",
        "2",
    ]
    words += ["--seeds", "2", "--out", str(tmp_path / "out")]
    words += ["--settings", "one critic step=--Dsteps 1"]
    monkeypatch.setattr(sys, "argv", ["userstudy.py", *words])
    userstudy.main()
    out = tmp_path / "out"
    before = {path: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}
    run = userstudy.yaml.safe_load((out / "results.yaml").read_text())
    for own in run["pictures"]["7"]["ours"].values():
        assert own["size"] == "24x23"
        assert own["minutes"] > 0 and own["processor_minutes"] > 0
        samples = own["as_saved_by"]["them"]["samples"]
        assert len({sample["frechet"] for sample in samples}) == 2
        assert set(samples[0]) >= {"frechet", "sliced_wasserstein", "coherence", "copying"}
    for seed in range(2):
        path = out / f"samples/one_critic_step/7_{seed}.jpg"
        assert Encoding.of(path) == Encoding.of(tmp_path / "them/7.jpg")
    assert json.loads((out / "models/7/one_critic_step/trained.json").read_text())["seconds"] > 0
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > sheet.height

    def no_training(*words: object, **how: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(userstudy.single_runs.subprocess, "run", no_training)
    userstudy.main()
    assert {path: path.read_bytes() for path in before} == before


def test_published_samples_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--settings without any: nothing is trained, files are measured as they are."""
    for name in ("7", "12"):
        write(tmp_path / f"real/{name}.jpg", photo("tissue", 40))
        write(tmp_path / f"them/{name}.jpg", grain(photo("tissue", 40), 0.1))
        write(tmp_path / f"copies/{name}.jpg", photo("tissue", 40))
    folders = [str(tmp_path / folder) for folder in ("real", "them", "copies")]
    words = [*folders, "--out", str(tmp_path / "out"), "--settings"]
    monkeypatch.setattr(sys, "argv", ["userstudy.py", *words])
    userstudy.main()
    text = (tmp_path / "out/tables.md").read_text()
    assert text.count("12, copies | 0 | 0 | 0 | 0 | 1 |") == 1
    assert "median over 2 pictures" in text and "ours" not in text
    assert text.index("| 7, them") < text.index("| 12, them")
    assert not (tmp_path / "out/models").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--settings", "default"], "--settings"), (["--seeds", "0"], "--seeds"),
        (["--names", "7", "8"], "REAL_DIR: there is no"),
        (["--names", "7", "png"], "REAL_DIR"), (["--settings", "them="], "--settings"),
        (["--settings", "../x=--niter 1"], "--settings"),
        (["--settings", "x=--niter a"], "--settings x: argument --niter"),
        (["--settings", "x=--niter 0"], "--settings x: --niter"),
    ],
)  # fmt: skip
def test_wrong_flags_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture, words: list[str], said: str
) -> None:
    for folder in ("real", "them"):
        write(tmp_path / folder / "7.jpg", photo("tissue", 40))
    folders = [str(tmp_path / "real"), str(tmp_path / "them")]
    assert userstudy.parse(folders).names == ["7"]
    write(tmp_path / "real/png.jpg", photo("tissue", 40), format="png")
    with pytest.raises(SystemExit) as stopped:
        userstudy.parse([*folders, *words])
    assert stopped.value.code == 2
    assert f"error: {said}" in capsys.readouterr().err
