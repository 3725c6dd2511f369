"""Inpainting: what a hole hides has no part in anything, and the rest of the picture stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, Outcome, paint, write_hole, write_picture
from PIL import Image
from test_models import leaky_critic, plain_scores
from torch import Tensor

import ConSinGAN
import evaluate_model
import main_train
from ConSinGAN import images
from ConSinGAN.config import TrainConfig
from ConSinGAN.critics.base import Clear, Critic
from ConSinGAN.errors import UsageError
from ConSinGAN.fast.wgan_gp import quicken
from ConSinGAN.files import save_tensors
from ConSinGAN.holes import fill, filled_picture, inserted, touched
from ConSinGAN.methods.adversarial import reconstruction_loss
from ConSinGAN.methods.judging import clear_of_hole
from ConSinGAN.objectives.base import Objective
from ConSinGAN.objectives.wgan_gp import WGANGP
from ConSinGAN.objectives.wgan_gp_options import Options
from ConSinGAN.pictures.completion import complete
from ConSinGAN.pictures.votes import nearest
from ConSinGAN.resize import resize
from ConSinGAN.watch.base import Stopped, Watcher

Script = Callable[..., Outcome]


def a_hole(height: int, width: int, *box: int) -> Tensor:
    """Top, bottom, left, right of a rectangle."""
    hole = torch.zeros((1, 1, height, width), dtype=torch.bool)
    hole[..., box[0] : box[1], box[2] : box[3]] = True
    return hole


# Holes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", [(0, 5, 0, 5), (10, 20, 12, 30), (0, 32, 3, 47), (31, 32, 0, 48)])
def test_a_fill_depends_on_the_rim_alone(box: tuple[int, ...]) -> None:
    picture, hole = torch.rand(1, 3, 32, 48) * 2 - 1, a_hole(32, 48, *box)
    other = torch.where(hole, torch.full_like(picture, torch.nan), picture)
    filled = fill(picture, hole)
    assert torch.equal(filled, fill(other, hole))
    assert torch.equal(filled[~hole.expand_as(filled)], picture[~hole.expand_as(filled)])
    assert filled.dtype == torch.float32
    assert filled.abs().max() <= 1


def test_a_fill_is_nearly_harmonic() -> None:
    """A plane is its own continuation."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 60), torch.linspace(-1, 1, 80), indexing="ij")
    plane = (0.5 * y + 0.3 * x)[None, None]
    filled = fill(plane, a_hole(60, 80, 12, 44, 20, 60))
    assert (filled - plane).abs().max() < 0.05
    with pytest.raises(ValueError, match="nothing"):
        fill(plane, torch.ones_like(plane, dtype=torch.bool))


def test_a_filled_picture_keeps_its_levels() -> None:
    picture = images.as_written(torch.rand(1, 3, 20, 20) * 2 - 1)
    filled = filled_picture(picture, a_hole(20, 20, 5, 12, 5, 12))
    assert images.to_levels(filled).dtype == torch.uint8


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.37, 0.81])
def test_touched_pixels_are_those_that_depend_on_the_hole(scale: float) -> None:
    hole = a_hole(41, 50, 10, 17, 20, 24)
    picture = torch.zeros(1, 1, 41, 50).masked_fill(hole, torch.nan)
    shrunk = resize(picture, scale=scale, clamp=False) if scale != 1 else picture
    marked = touched(hole, scale)
    assert marked.shape == shrunk.shape
    noisy = torch.zeros(1, 1, 41, 50).masked_fill(hole, 1.0) * torch.rand(1, 1, 41, 50)
    differs = resize(noisy, scale=scale, clamp=False) != 0 if scale != 1 else noisy != 0
    assert not (differs & ~marked).any()
    assert marked.sum() < marked.numel()


def test_inserted_has_no_seam_and_leaves_the_rest() -> None:
    picture, hole = fill(torch.rand(1, 3, 40, 40), a_hole(40, 40, 2, 38, 2, 38)), None
    hole = a_hole(40, 40, 10, 30, 10, 30)
    result = inserted(picture - 0.4, picture, hole)  # the same, darker
    outside = ~hole.expand_as(picture)
    assert torch.equal(result[outside], picture[outside])
    assert (result - picture).abs().max() < 1e-5


# The critic's losses --------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"padding": 1}, {"num_layer": 1}], ids=str)
def test_clear_scores_see_nothing_of_the_hole(options: dict) -> None:
    critic, hole = leaky_critic(**options), a_hole(30, 34, 3, 9, 5, 12)
    picture = torch.randn(1, 3, 30, 34)
    changed = torch.where(hole, torch.randn(1, 3, 30, 34), picture)
    with torch.no_grad():
        same = (plain_scores(critic, picture) - plain_scores(critic, changed)).abs() < 1e-9
    clear = critic.clear_of(hole)
    assert torch.equal(clear.scores[0] > 0, same)
    picture.requires_grad_()
    (plain_scores(critic, picture) * clear.scores[0]).sum().backward()
    assert picture.grad is not None
    assert torch.equal(picture.grad.abs().sum(1, keepdim=True) > 0, clear.pixels > 0)
    assert not (hole & (clear.pixels > 0)).any()
    assert critic.clear_of(torch.ones_like(hole)).is_empty


@pytest.mark.parametrize("size", [(26, 31), (82, 80)], ids=["as a batch", "one by one"])
@pytest.mark.parametrize("options", [{}, {"padding": 1}], ids=str)
def test_both_forms_agree_with_the_formula(size: tuple[int, int], options: dict) -> None:
    critic = leaky_critic(**options).double()
    critic.dtype = torch.float64
    real, fake = (torch.randn(1, 3, *size, dtype=torch.float64) for _ in range(2))
    found = critic.clear_of(a_hole(*size, 2, 9, 3, 14))
    clear = Clear([found.scores[0].double()], found.pixels.double())
    share = 0.3
    mixed = (share * real + (1 - share) * fake).requires_grad_()
    scores = plain_scores(critic, mixed)[clear.scores[0] > 0]
    (gradient,) = torch.autograd.grad(scores.sum(), mixed, create_graph=True)
    excess = (gradient.norm(dim=1, keepdim=True) - 1) ** 2
    expected = {
        "real": plain_scores(critic, real)[clear.scores[0] > 0].mean(),
        "fake": plain_scores(critic, fake).mean(),
        "penalty": 0.7 * excess[clear.pixels > 0].mean(),
    }
    (expected["fake"] - expected["real"] + expected["penalty"]).backward()
    wanted = [torch.zeros_like(p) if p.grad is None else p.grad for p in critic.parameters()]
    textbook = WGANGP(Options(lambda_grad=0.7))
    for objective in (textbook, quicken(textbook, critic)):
        critic.zero_grad()
        chance = {"coefficient": torch.tensor(share, dtype=torch.float64)}
        terms = objective.critic_step(critic, real, fake, chance, clear=clear)
        for name, value in expected.items():
            torch.testing.assert_close(terms[name], value.detach(), check_dtype=False)
        for parameter, gradient in zip(critic.parameters(), wanted, strict=True):
            actual = torch.zeros_like(gradient) if parameter.grad is None else parameter.grad
            scale = float(gradient.abs().max())
            torch.testing.assert_close(actual, gradient, rtol=1e-5, atol=1e-6 * scale + 1e-9)


def test_a_hole_that_is_empty_changes_no_loss() -> None:
    critic = leaky_critic()
    real, fake = torch.randn(1, 3, 24, 24), torch.randn(1, 3, 24, 24)
    clear = critic.clear_of(torch.zeros(1, 1, 24, 24, dtype=torch.bool))
    objective = quicken(WGANGP(), critic)
    chance = {"coefficient": torch.tensor(0.4)}
    plain = objective.critic_step(critic, real, fake, chance)
    terms = objective.critic_step(critic, real, fake, chance, clear=clear)
    for name, value in plain.items():
        torch.testing.assert_close(terms[name], value)


def test_reconstruction_leaves_the_hole_out() -> None:
    real, known = torch.rand(1, 3, 8, 8), (~a_hole(8, 8, 2, 5, 2, 5)).float()
    drawn = real + 0.5
    drawn[..., 2:5, 2:5] = 100
    assert float(reconstruction_loss(drawn, real, 2.0, known)) == pytest.approx(0.5)


def test_what_cannot_leave_a_hole_out_says_so() -> None:
    class Blind(Critic):
        name = "blind"

        @classmethod
        def from_config(cls, config: TrainConfig) -> Critic:
            return cls()

        def forward(self, picture: Tensor) -> Tensor:
            return picture

    class Deaf(Objective):
        name = "deaf"

        def critic_step(self, *args: object, **more: object) -> dict:
            return {}

        def generator_loss(self, *args: object) -> Tensor:
            return torch.zeros(())

    hole = a_hole(20, 20, 1, 2, 1, 2)
    with pytest.raises(UsageError, match="critic blind"):
        clear_of_hole(WGANGP(), Blind(), hole)
    with pytest.raises(UsageError, match="objective deaf"):
        clear_of_hole(Deaf(), leaky_critic(), hole)


# Runs -----------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_picture(tmp_path / "picture.png")
    write_hole(tmp_path / "picture_mask.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(**options: object) -> Path:
    return ConSinGAN.train(
        train_mode="inpainting", **{"input_name": "picture.png"} | TINY | options
    )


def bytes_of(run: Path) -> dict[str, bytes]:
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in run.rglob("*.safetensors")}


def test_what_the_hole_hides_has_no_part_in_anything(desk: Path) -> None:
    """Weights, noise, pictures and results are the same to the bit."""
    pixels = paint()
    pixels[:5, :7] = 255 - pixels[:5, :7]
    Image.fromarray(pixels).save("other.png")
    first = train(output_dir="a")
    second = train(output_dir="b", input_name="other.png", mask="picture_mask.png")
    assert bytes_of(first) == bytes_of(second)
    for full_size in (False, True):
        drawn = [
            [images.to_bytes(next(iter(d.frames))) for d in
             ConSinGAN.draw(ConSinGAN.load(run), "inpainting", full_size=full_size)]
            for run in (first, second)
        ]  # fmt: skip
        assert all((a == b).all() for a, b in zip(*drawn, strict=True))


def test_known_pixels_stay_and_variants_differ(desk: Path) -> None:
    """In a hole so large that different drawings are completed by different patches."""
    mask = np.zeros((60, 80), np.uint8)
    mask[16:44, 26:54] = 255
    Image.fromarray(mask).save("large_mask.png")
    write_picture(Path("large.png"), 60, 80)
    run = train(input_name="large.png", mask="large_mask.png", max_size=80)
    model = ConSinGAN.load(run, precision="fp32")
    assert model.holes is not None
    model.noise_amp = [50.0] * len(model.sizes)  # who has hardly learnt makes nothing of less
    drawn = list(ConSinGAN.draw(model, "inpainting", num_samples=3, seed=4))
    fills = [next(iter(d.frames)) for d in drawn if d.name.startswith("inpainted")]
    real, outside = images.to_bytes(model.reals[-1])[0], ~model.hole[0, 0].numpy()
    assert all((images.to_bytes(fill)[0][outside] == real[outside]).all() for fill in fills)
    assert not torch.equal(fills[0], fills[1])
    (again,) = list(ConSinGAN.draw(model, "inpainting", num_samples=2, seed=4))[-1].frames
    assert torch.equal(again, fills[1])


def test_full_size_leaves_the_users_file_as_it_is(desk: Path, script: Script) -> None:
    run = train()
    words = ["--model_dir", run, "--num_samples", 2, "--output_dir", "out", "--full_size"]
    assert script(evaluate_model, *words).code == 0
    drawn, original = np.asarray(Image.open("out/inpainted_1.png")), paint()
    mask = np.asarray(Image.open("picture_mask.png")) > 127
    assert drawn.shape == original.shape
    assert (drawn[~mask] == original[~mask]).all()
    assert (drawn[mask] != original[mask]).any()


class StopAt(Watcher):
    def __init__(self, iterations: int) -> None:
        self.left = iterations

    def iteration(self, moment: object, terms: object) -> None:
        self.left -= 1

    def should_stop(self) -> bool:
        return self.left == 0


@pytest.mark.parametrize("iterations", [1, 3])
def test_a_stopped_run_goes_on_to_the_same_bits(desk: Path, iterations: int) -> None:
    whole = train(output_dir="a")
    with pytest.raises(Stopped):
        train(output_dir="b", watchers=[StopAt(iterations)])
    (stopped,) = Path("b/picture").iterdir()
    Path("picture_mask.png").unlink()  # the run has its own
    ConSinGAN.resume(stopped)
    assert bytes_of(whole) == bytes_of(stopped)


@pytest.mark.parametrize("columns", [slice(30, 48), slice(36, 48)], ids=["none", "few"])
def test_a_stage_without_clear_places_goes_without_its_critic(
    columns: slice, desk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where there are few, which tell of one side of the picture alone."""
    caplog.set_level("INFO", "ConSinGAN")
    mask = np.zeros((32, 48), np.uint8)
    mask[:, columns] = 255
    Image.fromarray(mask).save("picture_mask.png")
    run = train(max_size=40, min_size=12)
    lines = [r.message for r in caplog.records if "critic" in r.message]
    assert len(lines) == 1
    assert "stage 1" in lines[0]
    assert next(ConSinGAN.load(run).sample()).isfinite().all()


@pytest.mark.parametrize(
    ("paint_mask", "told"),
    [
        (lambda: np.zeros((32, 48), np.uint8), ["--mask", "empty"]),
        (lambda: np.full((32, 48), 255, np.uint8), ["--mask", "all of it is white"]),
        (lambda: np.full((16, 24), 255, np.uint8), ["--mask", "24x16", "48x32"]),
        (lambda: np.full((48, 32), 255, np.uint8), ["--mask", "32x48"]),
        (lambda: np.pad(np.zeros((20, 36), np.uint8), 6, constant_values=255),
         ["--mask", "wherever the critic looks"]),
        (lambda: None, ["--mask is needed", "picture.png"]),
    ],
)  # fmt: skip
def test_bad_masks_are_one_line(
    paint_mask: Callable[[], np.ndarray | None], told: list[str], desk: Path, script: Script
) -> None:
    mask = paint_mask()
    Path("picture_mask.png").unlink()
    if mask is not None:
        Image.fromarray(mask).save("picture_mask.png")
    words = [w for name, value in (TINY | {"train_mode": "inpainting"}).items()
             for w in ([f"--{name}"] if value is True else [f"--{name}", value])]  # fmt: skip
    outcome = script(main_train, "--input_name", "picture.png", *words)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    for text in told:
        assert text in outcome.err
    assert not Path("TrainedModels").exists()


def test_other_modes_have_no_mask_and_no_fills(
    desk: Path, script: Script, trained: Callable[[str], Path]
) -> None:
    outcome = script(main_train, "--input_name", "picture.png", "--mask", "picture_mask.png")
    assert outcome.code == 2
    assert "--mask" in outcome.err
    with pytest.raises(UsageError, match="without a hole"):
        ConSinGAN.draw(ConSinGAN.load(trained("generation")), "inpainting")
    with pytest.raises(UsageError, match="missing"):
        train(mask="missing.png")


def test_damaged_holes_are_refused(desk: Path) -> None:
    run = train()
    path = run / "holes.safetensors"
    good = ConSinGAN.load(run).holes.to_tensors()
    for change in (
        {"0": torch.ones(1, 1, 3, 3, dtype=torch.uint8)},
        {"1": good["1"].float()},
        {"whole": torch.zeros_like(good["whole"])},
        {"more": good["0"].clone()},
    ):
        save_tensors(path, good | change)
        with pytest.raises(UsageError, match="holes"):
            ConSinGAN.load(run)
    path.unlink()
    with pytest.raises(UsageError, match="holes"):
        ConSinGAN.load(run)


def test_a_drawn_hole_is_completed_from_the_picture() -> None:
    """Of a picture that repeats, a grey hole becomes what is missing; nothing else changes."""
    y, x = torch.meshgrid(torch.arange(48), torch.arange(64), indexing="ij")
    wave = 0.8 * torch.sin(x * 2 * torch.pi / 8) * torch.cos(y * 2 * torch.pi / 12)
    real = wave[None, None].expand(1, 3, -1, -1).contiguous()
    hole = torch.zeros(1, 1, 48, 64, dtype=torch.bool)
    hole[..., 18:30, 26:40] = True
    hidden = torch.where(hole, 0.123, real)
    drawn = torch.where(hole, 0.0, real)
    completed = complete(drawn, hidden, hole)
    inside = hole.expand_as(real)
    assert torch.equal(completed[~inside], real[~inside])
    error = (completed - real)[inside].abs().mean()
    assert error < 0.3 * real[inside].abs().mean()
    other = complete(drawn, torch.where(hole, -0.9, real), hole)
    assert torch.equal(other, completed)  # whatever the hole hides


def test_patches_that_are_wanted_nowhere_seem_nearer() -> None:
    """What is blurred, near the mean of all patches, does not become the smoothest everywhere."""
    random = torch.Generator().manual_seed(0)
    keys = torch.randn(40, 5, generator=random)
    keys[0] = 0
    queries = 0.1 * torch.randn(1500, 5, generator=random)  # more than are compared at once
    assert torch.equal(nearest(queries, keys), torch.zeros(1500, dtype=torch.long))
    distances = torch.cdist(queries, keys).square() / 5
    wanted = (distances / (0.01 + distances.amin(dim=0))).argmin(dim=1)
    assert len(wanted.unique()) > 10
    assert (nearest(queries, keys, 0.01) == wanted).float().mean() > 0.99
