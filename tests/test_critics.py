"""What every critic can do, also one that is added as a single new file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import TINY, make_config, write_hole, write_picture
from test_training import make_iteration, run

import ConSinGAN
from ConSinGAN.critics.base import Critic
from ConSinGAN.errors import UsageError
from ConSinGAN.networks import chance_of, make_critic, make_networks
from ConSinGAN.noise import RandomStreams
from ConSinGAN.registry import CRITICS
from ConSinGAN.watch.base import Stop, Stopped, Watcher

every_critic = pytest.mark.parametrize("name", CRITICS.names())

CHANGES = "colour,translation,cutout"


def fresh(name: str, **options: object) -> Critic:
    torch.manual_seed(0)
    return make_critic(make_config(critic=name, nfc=4, **options))


@every_critic
@pytest.mark.parametrize("channels", [1, 3])
def test_a_score_map_for_every_view(name: str, channels: int) -> None:
    critic = fresh(name, nc_im=channels)
    picture = torch.rand(2, channels, 70, 90) * 2 - 1
    scores, views = critic(picture), critic.views(picture)
    assert scores.shape[:2] == (2, 1)
    assert scores.dtype == torch.float32
    maps = [part(view) for part, view in zip(critic.parts, views, strict=True)]
    for ours, of_part in zip(critic.maps(picture), maps, strict=True):
        assert torch.equal(ours, of_part)
    assert torch.equal(critic.maps(picture)[0], scores)
    smallest = critic.views(torch.zeros(1, channels, 11, 11))
    assert [view.shape[2:] for view in smallest] == [(11, 11)]


@every_critic
def test_work_and_memory_are_told(name: str) -> None:
    config = make_config(critic=name)
    critic = CRITICS.load(name)
    assert 0 < critic.work(config) < 10
    assert critic.more_memory(config, (100, 100)) >= 0


class Late(Watcher):
    """Stops a run in the middle of its second stage."""

    def iteration(self, moment: object, terms: dict) -> None:
        self.at, self.terms, self.run = (moment.stage, moment.done), terms, moment.run

    def should_stop(self) -> Stop | None:
        return Stop("enough") if self.at == (1, 1) else None


@every_critic
@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "colour"])
def test_trains_and_goes_on_to_the_bit(name: str, channels: int, tmp_path: Path) -> None:
    """Also with augmentation, whose random numbers go on, too."""
    options = TINY | {"critic": name, "nc_im": channels, "max_size": 44, "num_layer": 1}
    options |= {"input_name": str(write_picture(tmp_path / "picture.png", 40, 44))}
    options["augment_critic"] = CHANGES
    finished = ConSinGAN.train(**options, output_dir=str(tmp_path / "a"))
    late = Late()
    with pytest.raises(Stopped):
        ConSinGAN.train(**options, output_dir=str(tmp_path / "b"), watchers=[late])
    assert all(value.isfinite() for value in late.terms.values())
    stopped = ConSinGAN.resume(late.run)
    files = sorted(p.relative_to(finished) for p in finished.rglob("*.safetensors"))
    assert Path("1/netD.safetensors") in files
    for file in files:
        assert (finished / file).read_bytes() == (stopped / file).read_bytes(), file
    drawn = list(ConSinGAN.draw(ConSinGAN.load(stopped), "samples", num_samples=1))
    assert all(next(iter(drawing.frames)).isfinite().all() for drawing in drawn)


@every_critic
def test_judges_pairs(name: str, tmp_path: Path) -> None:
    options = TINY | {"train_mode": "super_resolution", "factor": 1.3, "adversarial": 1.0}
    options |= {"critic": name, "augment_critic": CHANGES, "output_dir": str(tmp_path)}
    options["input_name"] = str(write_picture(tmp_path / "picture.png"))
    late = Late()
    with pytest.raises(Stopped):
        ConSinGAN.train(**options, watchers=[late])
    assert {"adversarial", "reconstruction"} < set(late.terms)
    assert all(value.isfinite() for value in late.terms.values())


CANNOT_LEAVE_OUT = {"singan"}  # its norms look at the whole picture


@every_critic
def test_leaves_a_hole_out(name: str, tmp_path: Path) -> None:
    options = TINY | {"train_mode": "inpainting", "critic": name, "output_dir": str(tmp_path)}
    options |= {"input_name": str(write_picture(tmp_path / "picture.png"))}
    options["augment_critic"] = "colour,cutout"
    write_hole(tmp_path / "picture_mask.png")
    late = Late()
    if name in CANNOT_LEAVE_OUT:
        with pytest.raises(UsageError, match="cannot leave a hole out"):
            ConSinGAN.train(**options, watchers=[late])
        assert not list(tmp_path.glob("picture/*"))
        return
    with pytest.raises(Stopped):
        ConSinGAN.train(**options, watchers=[late])
    assert {"real", "fake"} < set(late.terms)
    assert all(value.isfinite() for value in late.terms.values())


@every_critic
def test_its_random_streams_come_last(name: str) -> None:
    config = make_config(critic=name, nfc=4, augment_critic=CHANGES)
    networks = make_networks(config)
    objective, critic = networks["objective"], networks["critic"]
    names = chance_of(config, networks)
    assert names == (*objective.chance, *critic.chance, "augment_critic")
    assert len(set(names)) == len(names)
    more, plain = RandomStreams(3, more=names), RandomStreams(3)
    for stream, generator in plain.generators.items():
        assert torch.equal(generator.get_state(), more.generators[stream].get_state())


@every_critic
def test_bf16_is_near_float32(name: str) -> None:
    critic, picture = fresh(name), torch.rand(1, 3, 60, 70) * 2 - 1
    with torch.no_grad():
        expected = critic.maps(picture)
        for part in critic.parts:
            part.dtype = torch.bfloat16
        critic.dtype = torch.bfloat16
        for ours, exact in zip(critic.maps(picture), expected, strict=True):
            assert ours.dtype == torch.float32
            assert not torch.equal(ours, exact)
            torch.testing.assert_close(ours, exact, rtol=0.1, atol=0.02)


@pytest.mark.gpu
@every_critic
def test_recorded_graphs_give_the_same(name: str) -> None:
    """And nothing in an iteration waits for the device."""
    results = []
    for compile in (False, True):
        iteration = make_iteration(
            device="cuda", critic=name, augment_critic=CHANGES, compile=compile
        )
        run(iteration, 2)
        if not compile:
            torch.cuda.set_sync_debug_mode("error")
        try:
            run(iteration)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        results.append({n: float(v) for n, v in run(iteration, 4).items()})
        assert not compile or not iteration.run_step.broken
    assert results[0] == pytest.approx(results[1], rel=0.05, abs=0.02)
