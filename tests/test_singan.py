"""SinGAN: sizes, networks and an iteration against an implementation of their own."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import make_config, paint, value_of, write_picture
from singan_reference import Network, SinGAN, enlarge
from torch import Tensor, nn

import ConSinGAN
from ConSinGAN import estimate, launch, modes, networks, saved
from ConSinGAN.errors import UsageError
from ConSinGAN.methods.successive import Successive
from ConSinGAN.model import ImageModel
from ConSinGAN.noise import RandomStreams
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.registry import GENERATORS
from ConSinGAN.resize import resize
from ConSinGAN.run import RunDirectory
from ConSinGAN.sources.single import Single
from ConSinGAN.state import TrainingState, make_optimizers
from ConSinGAN.studio import trainee
from ConSinGAN.studio.planner import Planner
from ConSinGAN.training import begin_stage

SINGAN = {"generator": "singan", "critic": "singan", "batch_norm": True, "train_depth": 1,
          "lrelu_alpha": 0.2}  # fmt: skip

# The rule, worked out by hand: steps(s) = ln s / ln 0.75 = -ln s / 0.287682, rounded up. (H, W),
# min_size, max_size; shorter and longer sides of all stages above the coarsest, whose shorter side
# is min_size (or, in rounding, one more).
SIZES = [
    # N = steps(25/167 -> 6.60) + 1 = 8, steps(250/250) = 0: stop 8; r = (25/167)^(1/8) = 0.78868
    ((167, 250), 25, 250,
     [(32, 48), (41, 61), (51, 77), (65, 97), (82, 123), (104, 156), (132, 198), (167, 250)]),
    # N = 8, steps(64/250 -> 4.74) = 5: stop 3; of 43x64 r = (25/43)^(1/3) = 0.83462
    ((167, 250), 25, 64, [(30, 45), (36, 54), (43, 64)]),
    # N = steps(25/400 -> 9.64) + 1 = 11, steps(250/600 -> 3.04) = 4: stop 7; r = 0.76239
    ((400, 600), 25, 250,
     [(33, 50), (44, 65), (57, 85), (75, 111), (98, 146), (128, 191), (167, 250)]),
    # N = steps(1) + 1 = 1: stop 1; r = 1
    ((25, 100), 25, 250, [(25, 100)]),
    # N = steps(18/800 -> 13.19) + 1 = 15, steps(100/1000 -> 8.004) = 9: stop 6; of 100x80 0.77988
    ((1000, 800), 18, 100, [(24, 29), (30, 37), (38, 48), (49, 61), (63, 78), (80, 100)]),
    # N = steps(25/60 -> 3.04) + 1 = 5: stop 5; r = (25/60)^(1/5) = 0.83938
    ((60, 60), 25, 250, [(30, 30), (36, 36), (43, 43), (51, 51), (60, 60)]),
]  # fmt: skip


@pytest.mark.parametrize("case", SIZES, ids=str)
def test_stages_of_the_published_rule(case: tuple) -> None:
    size, min_size, max_size, expected = case
    config = make_config(**SINGAN, min_size=min_size, max_size=max_size)
    num_stages = config.recipe.num_stages(size, config)
    config = replace(config, train_stages=num_stages)
    sizes = modes.get("generation").stage_sizes(size, config)
    sizes = [(max(size), min(size)) for size in sizes] if size[0] > size[1] else sizes
    assert [tuple(sorted(size)) for size in sizes[1:]] == expected
    assert min(sizes[0]) - min_size in (0, 1)
    real = torch.zeros((1, 3, *size))
    made = sizes_of(modes.get("generation").make_pyramid(real, config))
    assert [tuple(sorted(one)) for one in made] == [tuple(sorted(one)) for one in sizes]


@pytest.mark.parametrize(
    ("typed", "num_stages"),
    [({}, 4), ({"train_stages": 3}, 3), ({"scale_factor": 0.5}, 3), ({"preset": "singan"}, 4)],
    ids=str,
)
def test_a_run_has_as_many_stages_as_the_rule_says(
    tmp_path: Path, typed: dict, num_stages: int
) -> None:
    """Of 80x120 to 20x30 and 13 pixels: steps(13/80 -> 6.3) + 1 - steps(30/120 -> 4.8) = 3."""
    picture = write_picture(tmp_path / "picture.png", 80, 120)
    flags = {"input_name": str(picture), "output_dir": str(tmp_path), "not_cuda": True, "niter": 1,
             "nfc": 4, "max_size": 30, "min_size": 13, "manualSeed": 1}  # fmt: skip
    run = RunDirectory(ConSinGAN.train(**flags, **({"generator": "singan"} | typed)))
    config = run.load_config()
    chosen = config.generator, config.critic, config.train_stages
    assert chosen == ("singan", "singan", num_stages)
    sizes = sizes_of(run.load_pictures(config)[0])
    assert (len(sizes), sizes[-1]) == (num_stages, (20, 30))
    assert min(sizes[0]) in (13, 14)
    again = ConSinGAN.train(config=str(run.path / "config.yaml"), output_dir=str(tmp_path / "b"))
    assert RunDirectory(again).load_config().train_stages == num_stages


def test_more_stages_than_there_can_be_are_one_line(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "picture.png", 60, 60)
    flags = {"input_name": str(picture), "generator": "singan", "scale_factor": 0.95}
    with pytest.raises(UsageError, match=r"^scale_factor 0.95: makes 3\d stages .*32 are"):
        launch.prepare({**flags, "min_size": 11, "max_size": 60})


@pytest.mark.parametrize("preset", [None, "standard"])
def test_the_studio_counts_stages_as_the_command_line_does(
    preset: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "measure", lambda *_: estimate.Speed(0.0, 1e15))
    picture = write_picture(tmp_path / "picture.png", 80, 120)
    flags = {"input_name": str(picture), "generator": "singan", "scale_factor": 0.9,
             "max_size": 60, "min_size": 12, "not_cuda": True, "preset": preset}  # fmt: skip
    flags = {name: value for name, value in flags.items() if value is not None}
    counted = launch.prepare(flags)
    assert counted.train_stages == 14
    plan = Planner().plan(flags)
    assert (plan["stages"], plan["niter"]) == (14, counted.niter)
    assert launch.prepare({**flags, "train_stages": 5}).train_stages == 5
    assert Planner().plan({**flags, "train_stages": 5})["stages"] == 5


def test_the_studio_trains_as_many_stages_as_it_planned(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "picture.png", 80, 120)
    flags = {"input_name": str(picture), "generator": "singan", "max_size": 30, "min_size": 13,
             "not_cuda": True, "niter": 1, "nfc": 4, "output_dir": str(tmp_path)}  # fmt: skip
    job = SimpleNamespace(run=None, flags=flags, folder=tmp_path, id="0000")
    trainee._train_or_resume(job, [])
    (config,) = tmp_path.glob("picture/*/config.yaml")
    assert saved.read_config(config.parent).train_stages == 4


def test_the_preset_is_what_was_published() -> None:
    config = launch.configure({"preset": "singan"})
    published = {"generator": "singan", "critic": "singan", "objective": "wgan-gp", "niter": 2000,
                 "nfc": 32, "Dsteps": 3, "Gsteps": 3, "lr_g": 0.0005, "lr_d": 0.0005, "beta1": 0.5,
                 "gamma": 0.1, "alpha": 10.0, "noise_amp": 0.1, "lrelu_alpha": 0.2, "min_size": 25,
                 "max_size": 250, "batch_norm": True, "lambda_grad": 0.1}  # fmt: skip
    assert {name: value_of(config, name) for name in published} == published
    typed = launch.configure({"preset": "singan", "nfc": 8, "niter": 10})
    assert (typed.nfc, typed.niter) == (8, 10)


# Networks and iterations ------------------------------------------------------------------------


def make_state(
    num_stages: int, nfc: int = 4, dtype: torch.dtype = torch.float32, **options: object
) -> TrainingState:
    """A run of fresh networks in its stage `num_stages`, of pictures that a ratio fits."""
    options = {"nfc": nfc, "manualSeed": 0, "train_stages": num_stages + 1, "min_size": 12,
               "max_size": 40, **SINGAN, **options}  # fmt: skip
    config, mode = make_config(**options), modes.get(str(options.get("train_mode", "generation")))
    picture = torch.from_numpy(paint(40, 36)).movedim(-1, 0)[None] / 127.5 - 1
    if config.nc_im == 1:
        picture = picture[:, :1]
    reals = mode.make_pyramid(picture, config)
    made = {name: part.to(dtype) for name, part in networks.make_networks(config, seed=0).items()}
    networks.set_dtype(made, dtype)
    reals = [real.to(dtype) for real in reals]
    model = ImageModel(config, mode, networks.generator_of(made), reals)
    state = TrainingState(model, made, RandomStreams(0), Single(config))
    for stage in range(num_stages):
        if stage:
            networks.grow(made)
        begin_stage(state)
    state.optimizers = make_optimizers(made, config)
    return state


def published(network: nn.Module) -> dict[str, Tensor]:
    """A network's weights as SinGAN's own files have them: other numbers, running statistics."""
    weights = {}
    for name, value in network.state_dict().items():
        for k in (2, 1, 0):
            name = name.replace(f"block{k}.", f"block{k + 1}.")
        weights[name] = value.clone()
    return weights


def reference_of(state: TrainingState) -> tuple[SinGAN, Network]:
    """The textbook's networks with the weights of a run's."""
    generator, nets = state.model.generator, []
    for stage in generator.stages:
        nets.append(Network(stage.head.conv.out_channels))
        nets[-1].to(generator.dtype).load_state_dict(published(stage), strict=False)
    critic = Network(state.critic.head.conv.out_channels, critic=True).to(generator.dtype)
    critic.load_state_dict(published(state.critic), strict=False)
    ratio = (12 / 36) ** (1 / (state.config.train_stages - 1))
    return SinGAN(ratio, sizes_of(state.model.reals), nets, list(state.model.noise_amp)), critic


@pytest.mark.parametrize("num_stages", [1, 2, 5])
def test_an_iteration_against_the_textbook(num_stages: int) -> None:
    """Stage 0, the next, and one whose networks are wider than those below.

    In float64: Adam's first steps are as large for gradients that are rounding alone.
    """
    state = make_state(num_stages, dtype=torch.float64)
    iterate, seen = Successive(state), []
    iterate.run_step = lambda noise, chance: (seen.append((noise, chance)), {})[1]
    iterate(state.source.draw_input(state.model, state.streams))
    ((noise, chance),) = seen
    textbook, critic = reference_of(state)
    fixed = [z.clone() for z in state.model.fixed_noise]
    assert all(not z.any() for z in fixed[1:])
    *below, own, last = noise
    assert torch.equal(last, fixed[-1])
    assert [z.shape[1] for z in (*below, own)] == [1] + [3] * (num_stages - 1)
    if num_stages > 1:
        measured = textbook.amplitude([z.double() for z in fixed[:-1]], state.model.real)
        assert math.isclose(state.model.noise_amp[-1], measured, rel_tol=1e-5)
        assert {len(z) for z in below} == {3}
        assert not torch.equal(below[0][0], below[0][1])

    terms = iterate.step(list(noise), chance)
    own, below, fixed = own.double(), [z.double() for z in below], [z.double() for z in fixed]
    told = textbook.iteration(
        critic, state.model.real, own, [[z[i : i + 1] for z in below] for i in range(3)], fixed,
        chance["coefficient"].tolist(), {"lr": 0.0005, "betas": (0.5, 0.999)},
    )  # fmt: skip
    for name, value in told.items():
        assert math.isclose(float(terms[name]), value, rel_tol=1e-5), name
    pairs = [(state.critic, critic), (state.model.generator.stages[-1], textbook.stages[-1])]
    for ours, theirs in pairs:
        wanted, compared = theirs.state_dict(), 0
        for name, value in published(ours).items():
            assert torch.allclose(value, wanted[name], rtol=0, atol=1e-5), name
            compared += 1
        assert compared == 18


def test_lower_stages_stay_and_the_last_fixed_noise_is_kept() -> None:
    state = make_state(2)
    before = {name: p.clone() for name, p in state.model.generator.named_parameters()}
    iterate = Successive(state)
    for _ in range(2):
        iterate(state.source.draw_input(state.model, state.streams))
    for name, parameter in state.model.generator.named_parameters():
        assert torch.equal(before[name], parameter) != name.startswith("stages.1"), name
    state = make_state(1)
    first, iterate = state.model.fixed_noise[0], Successive(state)
    iterate(state.source.draw_input(state.model, state.streams))
    assert not torch.equal(first, state.model.fixed_noise[0])


def test_stages_are_copies_until_they_are_wider() -> None:
    config = make_config(**SINGAN, nfc=40, manualSeed=3)
    made = networks.make_networks(config, 9, seed=3)
    stages, critic = networks.generator_of(made).stages, made["critic"]
    widths = [stage.head.conv.out_channels for stage in stages]
    assert widths == [40] * 4 + [80] * 4 + [128]
    assert critic.head.conv.out_channels == 128
    for k in range(1, 9):
        same = torch.equal(stages[k].tail[0].bias, stages[k - 1].tail[0].bias)
        assert same == (k % 4 != 0)
    assert 0.018 < float(stages[8].body[0].conv.weight.detach().std()) < 0.022
    again = networks.make_networks(config, 9, seed=3)
    for name, value in made["critic"].state_dict().items():
        assert torch.equal(value, again["critic"].state_dict()[name])


@pytest.mark.parametrize("num", [1, 3])
def test_five_stages_draw_the_textbooks_picture(num: int) -> None:
    state = make_state(5, dtype=torch.float64)
    textbook, _ = reference_of(state)
    frame, generator = state.model.frame, state.model.generator
    shapes = generator.noise_shapes(frame, num)
    noise = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    with torch.no_grad():
        drawn = generator(noise, state.model.noise_amp, frame)
        for i in range(num):
            one = [z[i : i + 1] for z in noise]
            wanted = textbook.stage(4, one[4], textbook.previous(one[:4]))
            assert torch.allclose(drawn[i : i + 1], wanted, rtol=0, atol=1e-5)


def test_enlarging_is_the_antialiased_resize_cut_to_size() -> None:
    state = make_state(3)
    generator, frame = state.model.generator, state.model.frame
    picture = torch.rand((2, 3, *state.model.sizes[1])) * 2 - 1
    size = state.model.sizes[2]
    enlarged = generator.enlarge(picture, 2, frame)
    ours = resize(picture, scale=1 / generator.ratio)[..., : size[0], : size[1]]
    assert torch.equal(enlarged, ours)
    assert torch.allclose(enlarged, enlarge(picture, size, generator.ratio), atol=1e-6)


def test_time_and_memory_are_told_beforehand() -> None:
    config = make_config(**SINGAN, nfc=4, train_stages=6, not_cuda=True)
    sizes = [(10 + 2 * k, 12 + 2 * k) for k in range(6)]
    speed = estimate.measure(config, torch.device("cpu"), torch.float32)
    assert 0 < speed.seconds(config, sizes, stage=5) < speed.seconds(config, sizes)
    wide = estimate.work(config, sizes) / estimate.work(config, [*sizes[:3], sizes[5]])
    assert wide > 3  # the sixth stage has twice the filters of the fourth
    memory = [
        GENERATORS.load("singan").training_memory(replace(config, train_stages=n), (50, 60))
        for n in (4, 6, 10)
    ]
    assert 1.9 < memory[1] / memory[0] < 2.3
    assert 1.9 < memory[2] / memory[1] < 2.3
