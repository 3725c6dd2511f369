"""The reference's own numbers: every file in tests/golden, made by the paper's public code.

CONSINGAN_GOLDEN may name another folder of the same layout; files that it lacks are skipped.
docs/faithfulness.md says which behaviours of the reference are mended, and so compared otherwise.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import golden_reference as golden
import numpy as np
import pytest
import torch
from conftest import make_config

from ConSinGAN import images, modes
from ConSinGAN.augment import shuffle_tiles
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.critics.patch import PatchCritic
from ConSinGAN.fast.local_critic import LocalCritic
from ConSinGAN.fast.wgan_gp import quicken
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.objectives.wgan_gp import WGANGP
from ConSinGAN.pyramid import dense_scales, make_pyramid, stage_sizes
from ConSinGAN.resize import resize, resize_matrix, scaled_size, upsample
from ConSinGAN.run import run_name
from ConSinGAN.state import make_optimizers, set_learning_rates
from ConSinGAN.training import begin_stage
from ConSinGAN.walk import random_walk

# ---------------------------------------------------------------------------------------------
# Pictures and sizes


@pytest.mark.parametrize("case", golden.resize_cases("resize_signedcast.npz"))
def test_resize(case: str) -> None:
    data = golden.load("resize_signedcast.npz")
    golden.close(golden.resize_like(case, data), data[case], atol=3e-6)


@pytest.mark.parametrize("case", golden.resize_cases("resize.npz"))
def test_resize_away_from_top_and_left(case: str) -> None:
    """The original drops the taps beyond the top and left edges (quirk R1, mended)."""
    data = golden.load("resize.npz")
    actual, expected = golden.resize_like(case, data), data[case]
    assert actual.shape == expected.shape
    levels = golden.load("resize.npz")[f"input_{case.split('_')[1]}_uint8"]
    # Rows whose kernel reaches beyond the edge: two, or more when enlarging.
    top, left = (
        0 if out == num else max(2, math.ceil(1.5 * out / num - 0.5))
        for out, num in zip(expected.shape[2:], levels.shape, strict=False)
    )
    golden.close(actual[..., top:, left:], expected[..., top:, left:], atol=3e-6)


@pytest.mark.parametrize("name", ["resize.npz", "resize_signedcast.npz"])
def test_resize_overshoot_and_matrices(name: str) -> None:
    data, skip = golden.load(name), 2 if name == "resize.npz" else 0
    small = golden.load("resize.npz")["small_quantised_uint8"]
    raw = resize(
        torch.from_numpy(small.astype(np.float64)).movedim(-1, 0)[None], scale=0.5, clamp=False
    )
    golden.close(
        raw[0, :, skip:, skip:], np.moveaxis(data["raw_small_0.5"], -1, 0)[:, skip:, skip:], 1e-4
    )
    arguments = golden.load("resize.npz")
    for key in (k for k in data if k.startswith("weights_") and not k.endswith("__args")):
        num_in, num_out, scale, _ = arguments[f"{key}__args"]
        expected = np.zeros((int(num_out), int(num_in)))
        index = data[key.replace("weights", "index")].clip(0, int(num_in) - 1)
        np.add.at(expected, (np.arange(int(num_out))[:, None], index), data[key])
        actual = resize_matrix(int(num_in), int(num_out), float(scale))
        np.testing.assert_allclose(actual[skip:], expected[skip:], atol=1e-12)


def test_levels() -> None:
    """Reading maps bytes to [-1, 1] as the reference; writing rounds, so all levels survive."""
    data = golden.load("resize.npz")
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    golden.close(golden.as_picture(levels)[0, 0, 0], data["levels_tensor"])
    assert (images.to_bytes(golden.as_picture(levels))[0] == levels).all()
    golden.close(golden.as_picture(data["input_small_uint8"]), data["input_small_tensor"])


@pytest.mark.parametrize("name", ["a", "b", "small"])
def test_reading(name: str) -> None:
    levels = golden.load("resize.npz")[f"input_{name}_uint8"]
    golden.load_input(f"input_{name}.png")
    golden.close(
        images.read_image(golden.GOLDEN / f"input_{name}.png"), golden.as_picture(levels).numpy()
    )


def test_resize_sizes() -> None:
    for num, scale, out, _ in golden.load("resize_sizes.json")["rows"]:
        assert scaled_size((num, num), scale) == (out, out)


def test_pyramid_sizes() -> None:
    data = golden.load("pyramid.json")
    rows = [row for key in ("photos", "synthetic") for row in data.get(key, [])]
    assert rows
    for row in rows:
        spacing = golden.SPACING.get(row["train_mode"], dense_scales)
        arguments = (row["train_stages"], row["min_size"], row["max_size"], spacing)
        if "error" in row or row["train_stages"] < 3 or row["scale_factor"] > 1:
            continue  # mended or refused: quirks R6 and R7, see test_pyramid.py
        size = (row["height"], row["width"])
        assert stage_sizes(size, *arguments) == [tuple(s) for s in row["stages"]], row


# ---------------------------------------------------------------------------------------------
# Networks


@pytest.mark.parametrize("mode", golden.GENERATORS)
@pytest.mark.parametrize("state", ["init", "strong"])
@torch.no_grad()
def test_generator(mode: str, state: str) -> None:
    data = golden.load(f"generator_{mode}.npz")
    generator = golden.make_generator(data, modes.get(mode).border)
    weights = golden.subset(data, f"{state}/sd/")
    for key in [k for k in weights if k.startswith("body.0.")]:
        for stage in range(1, generator.num_stages):  # untouched stages are copies of the first
            weights.setdefault(key.replace("body.0", f"body.{stage}"), weights[key])
    generator.load_state_dict(weights)
    noise, sizes = golden.numbered(data, "noise/"), golden.stage_shapes(data["stage_shapes"])
    amplitudes = data["noise_amp"].tolist()
    for stages in range(1, len(noise) + 1):
        out = generator(noise[:stages], amplitudes, generator.frame(sizes[:stages]))
        golden.close(out, data[f"{state}/out{stages}"])
    if state == "strong" and "wide/out2" in data:
        wide = golden.stage_shapes(data["wide/stage_shapes"])
        noise = golden.numbered(data, "wide/noise/")
        golden.close(generator(noise, amplitudes, generator.frame(wide)), data["wide/out2"])


@pytest.mark.parametrize("mode", golden.GENERATORS)
def test_real_pictures(mode: str) -> None:
    """From the quantised picture, about one level and a half of the mended byte round trips."""
    data = golden.load(f"generator_{mode}.npz")
    spacing = golden.SPACING.get(mode, dense_scales)
    expected = golden.numbered(data, "real/")
    sizes = [tuple(e.shape[2:]) for e in expected]
    picture = golden.quantised(golden.load_input("input_a.png"))
    # The files do not say --min_size and --max_size; rounding up may have added a pixel.
    guesses = [
        (len(sizes), min(sizes[0]) - i, max(sizes[-1]) - j, spacing) for i in (0, 1) for j in (0, 1)
    ]
    found = [g for g in guesses if stage_sizes(tuple(picture.shape[2:]), *g) == sizes]
    actual = make_pyramid(picture, *found[0])
    for a, e in zip(actual, expected, strict=True):  # quirk R1: not the first two rows and columns
        assert (a - e)[..., 2:, 2:].abs().max() < 1.5 / 127.5


def test_upsampling() -> None:
    """The two matrix products are torch's bicubic interpolation with aligned corners."""
    for mode in golden.GENERATORS:
        sizes = golden.stage_shapes(golden.load(f"generator_{mode}.npz")["stage_shapes"])
        for small, large in itertools.pairwise(sizes):
            x = torch.randn(2, 8, *small)
            exact = torch.nn.functional.interpolate(x, large, mode="bicubic", align_corners=True)
            golden.close(upsample(x, large), exact.numpy(), atol=1e-5)


@pytest.mark.parametrize("state", ["init", "strong"])
@pytest.mark.parametrize("quick", [False, True], ids=["textbook", "closed form"])
def test_critic(state: str, quick: bool) -> None:
    data = golden.load("discriminator.npz")
    weights = golden.subset(data, f"{state}/sd/")
    critic = PatchCritic(NetworkShape(weights["head.conv.weight"].shape[0]))
    critic.load_state_dict(weights)
    real, fake = golden.tensor(data["real"]), golden.tensor(data["fake"])
    with torch.no_grad():
        golden.close(critic(real), data[f"{state}/out_real"])
        golden.close(critic(fake), data[f"{state}/out_fake"])
    prefix = f"{state}/alpha_"
    for key in [k for k in data if k.startswith(prefix) and k.endswith("/gp")]:
        case = key.removesuffix("/gp")
        a = float(case.removeprefix(prefix))
        mixed = a * real + (1 - a) * fake
        local = LocalCritic(critic, mixed)
        gradient = local.input_gradient(local.pull_back(torch.ones_like(local.scores)))
        golden.close(gradient.norm(dim=1), data[f"{case}/input_grad_norm"])
        # The scores' gradients cancel for twice the same picture; what is left is the penalty's.
        critic.zero_grad()
        objective = quicken(WGANGP(), critic) if quick else WGANGP()
        terms = objective.critic_step(critic, mixed, mixed, {"coefficient": torch.tensor(1.0)})
        golden.close(terms["penalty"], data[key])
        for name, parameter in critic.named_parameters():
            grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            golden.close(grad, data[f"{case}/grad/{name}"])


# ---------------------------------------------------------------------------------------------
# One training iteration


@pytest.mark.parametrize("name", golden.STEPS)
def test_noise_amplitude(name: str) -> None:
    data = golden.load(f"train_step_{name}.npz")
    state = golden.build_step(data, name.split("_")[0])
    model = state.model
    depth = int(data["depth"])
    fixed = golden.numbered(data, "fixed_noise/")
    model.fixed_noise, model.noise_amp = fixed[:depth], data["noise_amp_before"].tolist()
    with golden.recorded_noise(fixed[depth:]):
        begin_stage(state)
    if depth:
        with torch.no_grad():
            out = model.generator(fixed, [*model.noise_amp[:depth], 0.0], model.frame)
        golden.close(out, data["noise_amp_reconstruction"])
    golden.close(np.array(model.noise_amp[-1]), data["noise_amp_new"])
    golden.close(np.array(model.noise_amp), data["noise_amp_all"])


@pytest.mark.parametrize("name", golden.STEPS)
def test_train_step(name: str) -> None:
    data = golden.load(f"train_step_{name}.npz")
    mode = name.split("_")[0]
    training_state = golden.build_step(data, mode)
    model = training_state.model
    model.fixed_noise = golden.numbered(data, "fixed_noise/")
    model.noise_amp = data["noise_amp_all"].tolist()
    config, generator = model.config, model.generator
    training_state.optimizers = make_optimizers(training_state.networks, config)

    learning = training_state.optimizers["generator"].param_groups
    groups = {group["name"]: group["lr"] for group in learning}
    expected = dict(zip(data["lr_group_members"].tolist(), data["lr_groups"], strict=True))
    assert groups == pytest.approx(expected)

    noise, alphas = golden.numbered(data, "noise/"), golden.tensor(data["alphas"])
    step = Adversarial(training_state)
    terms, recorded_losses, seen, after = golden.record_step(step, noise, alphas)

    for j, terms_d in enumerate(recorded_losses):
        golden.close(-terms_d["real"], data[f"D{j}/errD_real"])
        golden.close(terms_d["fake"], data[f"D{j}/errD_fake"])
        golden.close(terms_d["penalty"], data[f"D{j}/gp"])
        for parameter, value in golden.subset(data, f"D{j}/grad/").items():
            golden.close(seen[j].get(parameter, torch.zeros_like(value)), value.numpy(), atol=3e-6)
        steps = [golden.subset(data, f"D{i}/grad/") for i in range(j + 1)]
        golden.close_weights(after[j], golden.subset(data, f"D{j}/sd_after/"), steps)
    golden.close(terms["adversarial"], data["errG"])
    golden.close(terms["reconstruction"], data["rec_loss"])

    # Quirk T6: biases before a norm have zero gradient in theory and rounding noise in practice.
    def noisy(parameter: str) -> bool:
        return generator.batch_norm and parameter.endswith("conv.bias")

    trained = {n: p for n, p in generator.named_parameters() if p.requires_grad}
    for parameter, value in golden.subset(data, "G_grad/").items():
        if parameter in trained and not noisy(parameter):
            grad = trained[parameter].grad
            golden.close(
                torch.zeros_like(value) if grad is None else grad, value.numpy(), atol=2e-5
            )
    state = generator.state_dict()
    recorded = golden.subset(data, "G_grad/")
    learnt = {name: value for name, value in recorded.items() if name in trained}
    known = {k: v for k, v in golden.subset(data, "G_after/").items() if not noisy(k)}
    golden.close_weights(state, known, [learnt])
    before = golden.subset(data, "G_before/")
    for parameter in filter(None, data["G_unchanged_after"].tolist()):
        assert torch.equal(state[parameter], before[parameter]), parameter


def test_schedule() -> None:
    for row in golden.load("schedule.json")["schedules"]:
        niter, base = row["niter"], row["base_lr_per_group"]
        if row["milestone"] != int(row["milestone"]):
            continue  # quirk T11, mended: see test_training.py
        rates = sorted(base)
        parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in rates]
        groups = [{"params": [p], "lr": r} for p, r in zip(parameters, rates, strict=True)]
        optimizer = torch.optim.Adam(groups)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        for iteration in range(niter):
            set_learning_rates({"one": optimizer}, iteration, TrainConfig(niter=niter))
            if str(iteration) in row["lr_at"]:
                now = sorted(group["lr"] for group in optimizer.param_groups)
                assert now == pytest.approx(sorted(row["lr_at"][str(iteration)]), rel=1e-12)


def test_learning_rate_groups() -> None:
    for row in golden.load("schedule.json")["group_lr_table"]:
        generator = ConSinGANGenerator(NetworkShape(2))
        for _ in range(row["depth"]):
            generator.grow()
        groups = generator.learners(row["train_depth"])
        actual = {group.name: 0.0005 * row["lr_scale"] ** group.depth for group in groups}
        bodies = zip(row["trained_bodies"], row["body_lr"], strict=True)
        expected = {f"body.{stage}": rate for stage, rate in bodies} | {"tail": row["tail_lr"]}
        if row["head_lr"] is not None:
            expected["head"] = row["head_lr"]
        assert actual == pytest.approx(expected, rel=1e-9)


# ---------------------------------------------------------------------------------------------
# Composites, animation, augmentation, names


@pytest.mark.parametrize("source", ["mask_a", "mask_big"])
@pytest.mark.parametrize("mode", ["harmonization", "editing"])
def test_masks(source: str, mode: str) -> None:
    data = golden.load("mask.npz")
    binary = data[f"{source}/channel0_quantised"] > 0  # the recorded decision, see quirk F11
    mask = images.soften_mask(binary, modes.get(mode).mask_radius)
    golden.close(mask, data[f"{source}/{mode}/mask"])
    key = f"{source}/{mode}/composite"
    if key in data:
        golden.close(
            images.composite(golden.tensor(data["real"]), golden.tensor(data["gen"]), mask),
            data[key],
        )


def test_mask_discs_and_dilation() -> None:
    from scipy import ndimage
    from skimage import morphology

    data = golden.load("mask.npz")
    for mode in ("harmonization", "editing"):
        disc = morphology.disk(modes.get(mode).mask_radius)
        assert (disc == data[f"disk_{mode}"]).all()
        for source in ("mask_a", "mask_big"):
            grown = ndimage.binary_dilation(data[f"{source}/channel0_quantised"] > 0, disc)
            assert (grown == data[f"{source}/{mode}/dilated"]).all()


def test_empty_mask_is_an_error() -> None:
    assert golden.load("mask.npz")["empty_mask_result_is_nan"]
    with pytest.raises(ValueError, match="empty"):
        images.soften_mask(np.zeros((8, 8), bool), 7)


def test_animation() -> None:
    data = golden.load("animation.npz")
    weights = golden.subset(data, "sd/")
    generator = ConSinGANGenerator(NetworkShape(weights["head.conv.weight"].shape[0]))
    for _ in range(len(data["stage_shapes"]) - 1):
        generator.grow()
    generator.load_state_dict(weights)
    fixed, amplitudes = golden.numbered(data, "fixed_noise/"), data["noise_amp"].tolist()
    frame = generator.frame([tuple(int(s) for s in shape[-2:]) for shape in data["stage_shapes"]])
    num_draws = len({k.split("/")[0] for k in data if k.startswith("draw")})
    starts = sorted({k.split("/")[0] for k in data if k.startswith("start")})
    for start in starts:
        alpha, beta = data[f"{start}/alpha_beta"]
        scale = int(start.removeprefix("start"))
        draws = (golden.numbered(data, f"draw{k}/") for k in range(num_draws))
        frames = random_walk(fixed, draws, float(alpha), float(beta), scale)
        frames = list(frames)
        assert len(frames) == len([k for k in data if k.startswith(f"{start}/frame") and "z0" in k])
        for k, noise in enumerate(frames):
            for i, z in enumerate(noise):
                golden.close(z, data[f"{start}/frame{k}/z{i}"], atol=2e-6)
            with torch.no_grad():
                levels = images.to_bytes(generator(noise, amplitudes, frame))[0].astype(int)
            difference = np.abs(levels - data[f"{start}/frame{k}/image_uint8"])
            assert difference.max() <= 1  # we round, the reference truncates (quirk F13)
        name = str(data[f"{start}/file_name"]).rsplit("/", 1)[-1]
        assert name == f"start_scale={scale}_alpha={alpha:g}_beta={beta:g}.gif"


def test_tile_shuffling() -> None:
    data = golden.load("shuffle_grid.npz")
    picture = torch.from_numpy(data["image"]).movedim(-1, 0)[None]
    for key in [k for k in data if k.endswith("/draws")]:
        rows = iter(data[key])
        out = shuffle_tiles(picture, *golden.replay(rows))
        assert (out[0].movedim(0, -1).numpy() == data[key.replace("draws", "out")]).all()
        assert next(rows, None) is None


def test_names() -> None:
    for row in golden.load("naming.json")["examples"]:
        fields = {k: v for k, v in row.items() if k in SCHEMA.options}
        has_suffix = row["train_mode"] in ("harmonization", "editing")
        fields["fine_tune"] = row["fine_tune"] and has_suffix  # quirk F6: others cannot
        actual = "TrainedModels/" + run_name(make_config(**fields), row["timestamp"])
        picture = row["input_name"]
        if len(Path(picture).suffix) != 4 or "\\" in picture:  # quirk F5, mended
            stem = {"photo.jpeg": "photo", "noext": "noext", "C:\\pics\\img.png": "img"}
            expected_stem = stem.get(picture, Path(picture.replace("\\", "/")).stem)
            assert actual.split("/")[1] == expected_stem
            assert actual.split("/")[2] == row["dir"].rsplit("/", 1)[1]
        else:
            assert actual == row["dir"]


def test_mask_names(tmp_path: Path) -> None:
    for row in golden.load("naming.json")["mask_names"]:
        naive = tmp_path / row["naive_img"]
        mask = tmp_path / row["mask"]
        if naive.suffix == ".jpeg":  # quirk F5, mended
            mask = naive.with_name(f"{naive.stem}_mask.jpeg")
        mask.parent.mkdir(parents=True, exist_ok=True)
        assert images.find_mask(naive) is None
        mask.touch()
        assert images.find_mask(naive) == mask
        mask.unlink()
