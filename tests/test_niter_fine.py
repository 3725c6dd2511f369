"""Fewer iterations of the fine stages, and the preset that makes use of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import NEEDED, TINY, make_config, write_hole, write_picture
from test_resume import Killed, assert_same_result, kill_at_iteration, only_run
from torch import Tensor

import ConSinGAN
from ConSinGAN import estimate, launch, state
from ConSinGAN.config import TrainConfig
from ConSinGAN.estimate import Speed
from ConSinGAN.registry import MODES
from ConSinGAN.studio import curves
from ConSinGAN.watch.base import Moment, Watcher
from ConSinGAN.watch.progress import Progress, Standing

LOOK_AT_CROPS = {"super_resolution", "dehazing"}


class Counting(Progress):
    """What was told of every iteration."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, int, int]] = []
        self.fractions: list[float] = []

    def tell(self, moment: Moment, terms: Mapping[str, Tensor], standing: Standing) -> None:
        self.fractions.append(standing.fraction)
        if terms:
            self.told.append((moment.stage, moment.done, moment.niter))


@pytest.mark.parametrize(
    ("stages", "fine"), [(2, 0), (3, 1), (4, 1), (5, 1), (6, 2), (8, 2), (9, 3), (14, 4)]
)
def test_the_last_third_of_the_stages_is_fine(stages: int, fine: int) -> None:
    config = make_config(train_stages=stages, niter=10, niter_fine=4)
    assert [config.iterations(i) for i in range(stages)] == [10] * (stages - fine) + [4] * fine
    assert len(config.fine_stages) == fine
    plain = make_config(train_stages=stages, niter=10)
    assert {plain.iterations(i) for i in range(stages)} == {10}


@pytest.mark.parametrize("fine", [3, 7])
def test_fine_stages_get_their_own_number(
    fine: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, shown, decayed at its own 80 %; and a killed run goes on to the same bits."""
    picture = write_picture(tmp_path / "picture.png")
    options = TINY | {
        "input_name": str(picture), "train_stages": 3, "max_size": 32, "niter": 5,
        "niter_fine": fine, "checkpoint_seconds": 0.0, "precision": "fp32",
    }  # fmt: skip
    rates: list[float] = []
    setting = state.set_learning_rates

    def set_rates(optimizers: state.Optimizers, *arguments: object) -> None:
        setting(optimizers, *arguments)
        rates.append(optimizers["critic"].param_groups[0]["lr"])

    watcher = Counting()
    with monkeypatch.context() as patch:
        patch.setattr("ConSinGAN.training.set_learning_rates", set_rates)
        whole = ConSinGAN.train(
            **options, output_dir=str(tmp_path / "undisturbed"), watchers=[watcher]
        )
    numbers = [5, 5, fine]
    assert watcher.told == [(i, k + 1, n) for i, n in enumerate(numbers) for k in range(n)]
    assert watcher.fractions == sorted(watcher.fractions)
    assert watcher.fractions[-1] == pytest.approx(1)
    for stage, number in enumerate(numbers):  # and its previews are of the end
        assert list((whole / str(stage)).glob(f"fake_sample_{number}.png"))
    decayed = [k >= round(0.8 * n) for n in numbers for k in range(n)]
    assert rates == [pytest.approx(5e-5 if late else 5e-4) for late in decayed]

    options["output_dir"] = str(tmp_path / "killed")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at_iteration(patch, 10 + fine)
        ConSinGAN.train(**options)
    run = only_run(options)
    launch.resume(run.path, {})
    assert_same_result(whole, run.path)


def test_estimates_count_them() -> None:
    sizes = [(30, 40), (60, 80), (120, 160)]
    plain = make_config(train_stages=3, niter=100)
    less = make_config(train_stages=3, niter=100, niter_fine=25)
    last = estimate.work(plain, sizes)
    assert estimate.products(plain, sizes) - estimate.products(less, sizes) == 75 * last
    speed = Speed(0.5, 1e12)
    each = 0.5 + last / 1e12
    assert speed.seconds(less, sizes, 2, 5) == pytest.approx(20 * each)
    assert speed.seconds(plain, sizes) - speed.seconds(less, sizes) == pytest.approx(75 * each)


def test_curves_of_stages_lie_beside_each_other() -> None:
    """Whatever their numbers of iterations: the last point of a stage is where the next begins."""
    points = [[0, 20, {"real": 1.0}], [1, 20, {"real": 2.0}], [2, 5, {"real": 3.0}]]
    drawn = curves.draw(points, [20, 20, 5], {})
    places = [p.split(",")[0] for p in drawn.split('points="')[1].split('"')[0].split()]
    assert places == ["80.0", "160.0", "240.0"]
    assert curves.draw(points, [], {}) == ""


def test_watchers_are_told_of_the_stage_that_they_see() -> None:
    config = make_config(train_stages=3, niter=20, niter_fine=5)
    model = SimpleNamespace(sizes=[(12, 18)])
    moments = [Moment(Path(), Path(), i, 0, config, model) for i in range(3)]
    assert [moment.niter for moment in moments] == [20, 20, 5]
    assert isinstance(Counting(), Watcher)


# The preset -----------------------------------------------------------------------------------


def fast(folder: Path, mode: str = "generation", **flags: object) -> TrainConfig:
    picture = str(write_picture(folder / "picture.png", 200, 300))
    write_hole(folder / "picture_mask.png", 200, 300)
    options = {"train_mode": mode, "input_name": picture, "preset": "fast", "not_cuda": True}
    return launch.configure(options | NEEDED.get(mode, {}) | flags)


@pytest.mark.parametrize("mode", MODES.names())
def test_fast_makes_one_critic_step_and_fewer_iterations_of_large_stages(
    mode: str, tmp_path: Path
) -> None:
    config = fast(tmp_path, mode)
    assert (config.Dsteps, config.options_of("objective").lambda_grad) == (1, 0.5)
    assert config.niter_fine == (0 if mode in LOOK_AT_CROPS else round(0.45 * config.niter))
    assert config.train_window == 0


def test_fast_keeps_all_iterations_of_small_stages(tmp_path: Path) -> None:
    assert fast(tmp_path, max_size=90).niter_fine == 0
    assert fast(tmp_path, train_stages=2).niter_fine == 0
    assert fast(tmp_path, niter=1).niter_fine == 1
    assert fast(tmp_path).niter_fine == 900
    assert fast(tmp_path, niter_fine=300).niter_fine == 300
    assert fast(tmp_path, niter_fine=0).niter_fine == 0
    assert fast(tmp_path, Dsteps=2).Dsteps == 2
