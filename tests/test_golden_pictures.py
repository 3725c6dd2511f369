"""The reference's own numbers for pictures, sizes, masks, walks and names; see test_golden."""

from __future__ import annotations

import math
from pathlib import Path

import golden_reference as golden
import numpy as np
import pytest
import torch
from conftest import make_config

from ConSinGAN import images, modes
from ConSinGAN.augment import shuffle_tiles
from ConSinGAN.config import SCHEMA
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.layers import NetworkShape
from ConSinGAN.pyramid import dense_scales, stage_sizes
from ConSinGAN.resize import resize, resize_matrix, scaled_size
from ConSinGAN.run import run_name
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
