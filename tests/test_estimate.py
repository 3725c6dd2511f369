"""How long a run will take, and the draft that is chosen by it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import TINY, Outcome, paint, write_mask, write_picture
from PIL import Image

import ConSinGAN
import main_train
from ConSinGAN import estimate, launch, modes, training
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.console import in_words
from ConSinGAN.errors import UsageError
from ConSinGAN.estimate import Speed, products, work
from ConSinGAN.modes.base import Mode
from ConSinGAN.presets.draft import Draft
from ConSinGAN.presets.standard import Standard
from ConSinGAN.pyramid import stage_sizes
from ConSinGAN.run import RunDirectory

Script = Callable[..., Outcome]

SIZES = [(10, 10), (20, 20), (30, 30), (40, 40)]
SNAIL = Speed(0.1, 1e9)


def test_products_are_counted() -> None:
    """By hand, for one 1x1 convolution of one filter: a product is a pixel."""
    config = TrainConfig(nfc=1, ker_size=1, num_layer=1, train_depth=2, Dsteps=2)
    assert work(config, SIZES[:1]) == (6 + 22) * 100
    assert work(config, SIZES[:3]) == 1 * 100 + 6 * 400 + (6 + 22) * 900
    larger = TrainConfig(nfc=4, ker_size=3, num_layer=5, train_depth=2, Dsteps=2)
    assert work(larger, SIZES) == work(config, SIZES) * 16 * 9 * 5
    whole = sum(work(config, SIZES[: i + 1]) for i in range(4))
    assert products(config, SIZES) == config.niter * whole


def test_seconds_are_of_what_is_left() -> None:
    config, speed = TrainConfig(niter=10), Speed(0.5, 1e6)
    each = [0.5 + work(config, SIZES[: i + 1]) / 1e6 for i in range(4)]
    assert speed.seconds(config, SIZES) == pytest.approx(10 * sum(each))
    left = 3 * each[2] + 10 * each[3]
    assert speed.seconds(config, SIZES, stage=2, done=7) == pytest.approx(left)


def test_a_measured_speed_is_about_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of times that follow the rule the rule is found."""
    config, truth = TrainConfig(), Speed(0.02, 3e9)
    monkeypatch.setattr(
        estimate, "_time", lambda config, sizes, *_: 0.02 + work(config, sizes) / 3e9
    )
    found = estimate.measure(config, torch.device("cpu"), torch.float32)
    assert (found.overhead, found.rate) == pytest.approx((truth.overhead, truth.rate))


@pytest.mark.parametrize("mode", modes.names())
def test_measuring_touches_nothing(mode: str) -> None:
    config = TrainConfig(train_mode=mode, nfc=4, not_cuda=True)
    state = torch.get_rng_state()
    speed = estimate.measure(config, torch.device("cpu"), torch.float32)
    assert torch.equal(torch.get_rng_state(), state)
    assert speed.rate > 0
    assert speed.overhead >= 0


def test_an_estimate_changes_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ConSinGAN")
    options = {"input_name": write_picture(tmp_path / "a.png"), "output_dir": tmp_path, **TINY}
    plain = ConSinGAN.load(ConSinGAN.train(**options)).reconstruct()
    assert "from here to the end" not in caplog.text  # of a run of a second
    monkeypatch.setattr(training, "WORTH_AN_ESTIMATE", 0)
    estimated = ConSinGAN.load(ConSinGAN.train(**options)).reconstruct()
    assert caplog.text.count("from here to the end") == 1
    assert torch.equal(plain, estimated)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2.4, "2 seconds"), (40, "40 seconds"), (89, "89 seconds"), (100, "2 minutes"),
        (280, "5 minutes"), (3500, "58 minutes"), (5000, "83 minutes"), (9000, "2.5 hours"),
        (90000, "25 hours"),
    ],
)  # fmt: skip
def test_times_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


# The draft ----------------------------------------------------------------------------------------


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Speed], None]:
    """Let the machine have a certain speed."""
    return lambda speed: monkeypatch.setattr(estimate, "measure", lambda *_: speed)


@pytest.fixture
def flags(tmp_path: Path) -> dict:
    picture = write_picture(tmp_path / "picture.png", 400, 600)
    return {"input_name": str(picture), "draft": True, "not_cuda": True, "manualSeed": 1}


def configuration(flags: dict, preset: dict | None = None) -> TrainConfig:
    return launch.resolve({k: v for k, v in flags.items() if k != "draft"}, preset=preset)


def chosen_draft(flags: dict) -> dict:
    return Draft().choose(lambda preset: configuration(flags, preset))


def seconds(speed: Speed, config: TrainConfig, size: tuple[int, int] = (400, 600)) -> float:
    sizes = stage_sizes(
        size, config.train_stages, config.min_size, config.max_size,
        modes.get(config.train_mode).spacing,
    )  # fmt: skip
    return speed.seconds(config, sizes)


@pytest.mark.parametrize("rate", [1e9, 3e9, 1e10, 3e10, 1e11, 1e12, 1e14])
@pytest.mark.parametrize("mode", ["generation", "harmonization"])
def test_the_largest_draft_that_ends_in_time(
    rate: float, mode: str, flags: dict, on: Callable[[Speed], None]
) -> None:
    speed = Speed(0.001, rate)
    on(speed)
    flags |= {"train_mode": mode}
    chosen = chosen_draft(flags)
    drafts = list(modes.get(mode).drafts)
    allowed = min(240, seconds(speed, configuration(flags)) / 12)
    times = [seconds(speed, configuration(flags, preset)) for preset in drafts]
    assert times == sorted(times)
    index = drafts.index(chosen)
    assert times[index] <= allowed or index == 0
    assert all(time > allowed for time in times[index + 1 :])


def test_both_ends_are_chosen(flags: dict, on: Callable[[Speed], None]) -> None:
    drafts = Mode.drafts
    on(SNAIL)
    assert chosen_draft(flags) == drafts[0]
    on(Speed(0.0, 1e13))
    assert Mode.drafts.index(chosen_draft(flags)) > 1


def test_standard_goes_up_to_half_a_full_run(flags: dict, on: Callable[[Speed], None]) -> None:
    def chosen() -> dict:
        return dict(Standard().choose(lambda preset: configuration(flags, preset)))

    on(SNAIL)
    assert chosen() == Mode.drafts[0]
    on(Speed(0.0, 1e13))
    assert chosen() == {"niter": 1000}


def test_the_choice_is_told_and_recorded(
    tmp_path: Path, on: Callable[[Speed], None], script: Script
) -> None:
    on(SNAIL)
    picture = Image.fromarray(paint(64, 96)).convert("RGBA")
    picture.putalpha(128)
    picture.save(tmp_path / "picture.png")
    words = ["--draft", "--input_name", tmp_path / "picture.png", "--output_dir", tmp_path]
    words += ["--nfc", 4, "--niter", 2, "--not_cuda"]
    outcome = script(main_train, *words)
    assert outcome.code == 0, outcome.err
    lines = outcome.err.splitlines()
    preset = Mode.drafts[0]
    (told,) = [line for line in lines if line.startswith("draft: ")]
    assert f"{preset['max_size']} pixels" in told
    assert "of 2 iterations" in told  # what was typed is stronger
    (longer,) = [line for line in lines if line.startswith("longer is sharper")]
    assert f"--draft --max_size {Mode.drafts[1]['max_size']}" in longer
    assert "without --draft" in longer
    assert outcome.err.count("transparent") == 1
    (run,) = (tmp_path / "picture").iterdir()
    flat = SCHEMA.flat(RunDirectory(run).load_config())
    assert {name: flat[name] for name in preset} == {**preset, "niter": 2}


def test_a_flat_picture_gets_the_drafts_that_fit_it(
    tmp_path: Path, on: Callable[[Speed], None]
) -> None:
    on(SNAIL)
    flags = {"input_name": str(write_picture(tmp_path / "a.png", 100, 420)), "draft": True}
    assert chosen_draft(flags)["max_size"] == 90  # 50 to 70 pixels are too flat
    flags["input_name"] = str(write_picture(tmp_path / "b.png", 20, 420))
    with pytest.raises(UsageError, match=r"^min_size"):
        chosen_draft(flags)


def test_a_draft_of_fine_tuning(
    trained: Callable[[str], Path], tmp_path: Path, on: Callable[[Speed], None]
) -> None:
    on(SNAIL)
    naive = write_picture(tmp_path / "naive.png", seed=1)
    write_mask(tmp_path / "naive_mask.png")
    flags = {"fine_tune": True, "model_dir": str(trained("editing")), "naive_img": str(naive)}
    run = ConSinGAN.train(**flags, draft=True, niter=1, max_size=24, min_size=12,
                          output_dir=tmp_path, not_cuda=True)  # fmt: skip
    assert (run / "sample_sheet.png").is_file()


def test_without_draft_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "measure", lambda *_: pytest.fail("measured"))
    assert launch.configure({"niter": 5}).niter == 5
