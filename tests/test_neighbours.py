"""Samples near one sample, series that begin anywhere, and single animations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY, Outcome, write_mask, write_picture
from PIL import Image

import ConSinGAN
import evaluate_model
from ConSinGAN.errors import UsageError
from ConSinGAN.noise import DrawingStreams, Near, Purpose

Script = Callable[..., Outcome]


def draw(model: object, task: str = "samples", **options: object) -> dict[str, torch.Tensor]:
    """Still drawings by name."""
    drawn = ConSinGAN.draw(model, task, **{"seed": 3, **options})  # type: ignore[arg-type]
    return {one.name: torch.as_tensor(next(iter(one.frames))) for one in drawn}


def test_distance_goes_from_the_sample_to_any_other(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    sample = draw(model, num_samples=6, scale_h=1)["random_samples/gen_sample_5"]
    far = []
    for distance in (0.0, 0.1, 0.5, 1.0):
        near = draw(model, near="5", distance=distance, num_samples=3, scale_h=1)
        pictures = [near[f"random_samples/gen_sample_{index}"] for index in range(3)]
        far.append(sum(float((one - sample).square().mean()) for one in pictures))
        assert distance == 0 or not torch.equal(pictures[0], pictures[1])
    assert far[0] == 0 < far[1] < far[2]
    assert far[1] < far[3] / 2


def test_noise_near_a_sample_is_noise() -> None:
    for distance in (0.2, 0.5, 0.9):
        field = DrawingStreams.near(Near((7, 3), distance), 1, 2).noise
        noise = field.maps(1, 8, (0, 0, 200, 200)).double()
        assert abs(float(noise.mean())) < 0.02
        assert float(noise.var()) == pytest.approx(1, abs=0.02)
        cut = field.maps(1, 8, (30, 40, 50, 60))
        assert torch.equal(cut.double(), noise[..., 30:80, 40:100])


def test_correlation_with_the_sample_is_as_promised() -> None:
    start = DrawingStreams(Purpose.SAMPLE, 1, 7).noise.maps(0, 3, (0, 0, 200, 200)).double()
    near = DrawingStreams.near(Near((7,), 1 / 3), 1, 0).noise.maps(0, 3, (0, 0, 200, 200))
    assert float((start * near).mean()) == pytest.approx(3**0.5 / 2, abs=0.02)


def test_a_neighbours_neighbours_are_near_it(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    parent = draw(model, near="5", first=2, num_samples=1, scale_h=1)
    (name,) = [name for name in parent if name.startswith("random")]
    assert name == "random_samples/gen_sample_2"
    same = draw(model, near="5/2", distance=0, num_samples=1, scale_h=1)
    start = draw(model, first=5, num_samples=1, scale_h=1)["random_samples/gen_sample_5"]
    assert torch.equal(same["random_samples/gen_sample_0"], start)  # no step is taken at all
    child = draw(model, near="5/2", num_samples=1, scale_h=1)["random_samples/gen_sample_0"]
    other = draw(model, near="5/3", num_samples=1, scale_h=1)["random_samples/gen_sample_0"]
    assert not torch.equal(child, other)
    error, usual = ((child - parent[name]).square().mean(), (start - other).square().mean())
    assert error < 2 * usual


def test_neighbours_in_tiles_are_the_same(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    how = {"near": "1", "num_samples": 1, "size": (40, 60)}
    name = "random_samples_size_h_40_w_60/gen_sample_0"
    whole = draw(model, **how)[name]
    drawn = ConSinGAN.draw(model, "samples", seed=3, tile=16, **how)
    (tiled,) = [next(iter(one.frames)) for one in drawn if one.name == name]
    assert torch.allclose(tiled.tensor(), whole, atol=1e-4)  # type: ignore[union-attr]


@pytest.mark.parametrize("task", ["samples", "outpainting", "texture", "retarget"])
def test_a_series_can_begin_anywhere(trained: Callable[[str], Path], task: str) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    more = {"extend": (0, 5, 0, 5)} if task == "outpainting" else {}
    whole = draw(model, task, num_samples=4, **more)
    part = draw(model, task, num_samples=2, first=2, **more)
    assert set(part) < set(whole)
    assert all(torch.equal(picture, whole[name]) for name, picture in part.items())
    assert len(part) < len(whole)


def test_fills_can_begin_anywhere(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("inpainting"))
    whole, part = (
        draw(model, "inpainting", num_samples=3),
        draw(model, "inpainting", num_samples=1, first=2),
    )
    assert torch.equal(part["inpainted_2"], whole["inpainted_2"])
    assert "inpainted_0" not in part


def test_one_animation_is_as_among_all(
    trained: Callable[[str], Path], script: Script, tmp_path: Path
) -> None:
    flags = ["--model_dir", trained("generation"), "--task", "animation", "--num_frames", 3]
    assert script(evaluate_model, *flags, "--output_dir", tmp_path / "all").code == 0
    one = [*flags, "--moves_from", 1, "--beta", 0.9, "--output_dir", tmp_path / "one"]
    assert script(evaluate_model, *one).code == 0
    (movie,) = (tmp_path / "one").glob("*.gif")
    assert movie.name == "start_scale=1_alpha=0.1_beta=0.9.gif"
    assert movie.read_bytes() == (tmp_path / "all" / movie.name).read_bytes()
    settings = yaml.safe_load((tmp_path / "one" / "settings.yaml").read_text())
    assert settings["options"]["moves_from"] == 1 and settings["options"]["beta"] == 0.9


def test_settings_name_pictures_by_their_checksum(
    trained: Callable[[str], Path], script: Script, tmp_path: Path
) -> None:
    import hashlib

    naive = write_picture(tmp_path / "naive.png", seed=1)
    mask = write_mask(tmp_path / "naive_mask.png")
    flags = ["--model_dir", trained("harmonization"), "--naive_img", naive, "--mask", mask]
    assert script(evaluate_model, *flags, "--output_dir", tmp_path / "out").code == 0
    with Image.open(tmp_path / "out" / "harmonized_w_mask_naive.png") as picture:
        settings = yaml.safe_load(picture.text["ConSinGAN"])  # type: ignore[attr-defined]
    assert settings["options"] == {"naive_img": "naive.png", "mask": "naive_mask.png"}
    digest = hashlib.sha256(naive.read_bytes()).hexdigest()
    assert settings["files"]["naive_img"] == {"sha256": digest}
    assert str(tmp_path / "naive") not in str(settings)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"near": "x"}, "near takes the number"), ({"near": "7/"}, "near takes the number"),
        ({"near": "1/" * 40 + "1"}, "near takes the number"), ({"near": "-1"}, "near takes"),
        ({"near": "٣"}, "near takes"), ({"distance": 0.5}, "distance is from a sample"),
        ({"near": "1", "distance": 1.5}, "distance must be at most 1"),
        ({"first": -1}, "first must be at least 0"),
    ],
)  # fmt: skip
def test_wrong_ones_are_one_line(
    trained: Callable[[str], Path], options: dict[str, object], line: str
) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    with pytest.raises(UsageError, match=line):
        ConSinGAN.draw(model, "samples", **options)


def test_a_stage_that_is_not_there_cannot_move(trained: Callable[[str], Path]) -> None:
    model = ConSinGAN.load(trained("generation"), precision="fp32")
    with pytest.raises(UsageError, match=f"moves_from 9: the model has {TINY['train_stages']}"):
        ConSinGAN.draw(model, "animation", moves_from=9)
