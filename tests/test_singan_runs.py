"""Runs of SinGAN: of every mode, interrupted ones, and those made of published weights."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from conftest import ROOT, TINY, Outcome, as_flags, make_config, write_mask, write_picture
from PIL import Image
from singan_reference import Network, SinGAN
from torch import Tensor

import ConSinGAN
import evaluate_model
import main_train
from ConSinGAN import launch, modes, published
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Frame
from ConSinGAN.generators.singan import resampling
from ConSinGAN.methods.successive import Successive
from ConSinGAN.pyramid import geometric_scales, make_pyramid, scale_factor, sizes_of
from ConSinGAN.run import RunDirectory


class Killed(BaseException):
    """Stands for kill -9: nothing in the package catches it."""


def options(folder: Path, **more: object) -> dict:
    """Flags of a tiny run in a folder."""
    picture = write_picture(folder / "picture.png")
    return {**TINY, "input_name": str(picture), "output_dir": str(folder / "runs"),
            "generator": "singan", "precision": "fp32", **more}  # fmt: skip


def weights_of(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*.safetensors")}


@pytest.mark.parametrize("case", [{}, {"nc_im": 1}, {"train_mode": "editing"}], ids=str)
def test_killed_runs_resume_to_the_bit(
    tmp_path: Path, case: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in stage 0 and in the last one, of five: where networks get wider."""
    flags = options(tmp_path, train_stages=5, niter=3, checkpoint_seconds=0.0, **case)
    whole = ConSinGAN.train(**flags | {"output_dir": str(tmp_path / "whole")})
    left = 2
    step = Successive.step

    def dying(self: Successive, *arguments: object) -> dict:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return step(self, *arguments)

    monkeypatch.setattr(Successive, "step", dying)
    with pytest.raises(Killed):
        ConSinGAN.train(**flags)
    (run,) = (tmp_path / "runs").glob("*/*")
    left = 13
    with pytest.raises(Killed):
        launch.resume(run, {})
    left = 100
    launch.resume(run, {})
    assert weights_of(run) == weights_of(whole)
    assert (run / "sample_sheet.png").read_bytes() == (whole / "sample_sheet.png").read_bytes()


TASKS = [
    ("generation", {}, ["samples", "texture", "animation", "retarget"]),
    ("retarget", {"nc_im": 1}, ["retarget", "samples"]),
    ("animation", {"batch_norm": False}, ["animation"]),
    ("harmonization", {}, ["harmonization", "style"]),
    ("paint", {}, ["paint"]),
    ("style", {"padd_size": 1}, ["style"]),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "more", "tasks"), TASKS, ids=lambda x: str(x)[:20])
def test_modes_train_and_their_tasks_draw(
    tmp_path: Path, mode: str, more: dict, tasks: list[str]
) -> None:
    run = ConSinGAN.train(**options(tmp_path, train_mode=mode, **more))
    model = ConSinGAN.load(run, precision="fp32")
    given = {"harmonization": "naive_img", "paint": "naive_img", "style": "content_img"}
    for task in tasks:
        flags: dict = {given[task]: str(tmp_path / "picture.png")} if task in given else {}
        flags |= {"num_frames": 2} if task == "animation" else {}
        flags |= {"num_samples": 1} if task in ("samples", "texture", "retarget") else {}
        if task == "harmonization":
            flags["mask"] = str(write_mask(tmp_path / "mask.png"))
        drawings = list(ConSinGAN.draw(model, task, **flags))
        assert drawings, task
        for drawing in drawings:
            for frame in drawing.frames:
                assert torch.isfinite(torch.as_tensor(frame).float()).all(), (task, drawing.name)


def test_samples_of_any_size_and_of_a_later_start(tmp_path: Path) -> None:
    model = ConSinGAN.load(ConSinGAN.train(**options(tmp_path, train_stages=3)), precision="fp32")
    for size in ((20, 70), (9, 9), (64, 24)):
        (picture,) = model.sample(size=size)
        assert picture.shape[2:] == size
    remembered = model.reconstruct()
    far, near = (next(model.sample(seed=3, start_scale=k)) - remembered for k in (0, 2))
    assert 0 < float(near.abs().mean()) < float(far.abs().mean())
    one, two = model.sample(2, seed=5)
    assert torch.equal(two, next(model.sample(seed=5, first=1)))
    assert not torch.equal(one, two)
    extended = list(ConSinGAN.draw(model, "outpainting", extend=(0, 6, 0, 6), num_samples=1))
    assert extended[0].frames[0].shape[3] == model.sizes[-1][1] + 12


def test_below_a_later_start_no_noise_comes_in_at_any_size(tmp_path: Path) -> None:
    """As in the reconstruction, which has none above stage 0."""
    model = ConSinGAN.load(ConSinGAN.train(**options(tmp_path, train_stages=3)), precision="fp32")
    for size in (model.sizes[-1], (40, 33)):
        pictures = model.sample(2, seed=3, start_scale=2, size=size)
        with torch.no_grad():
            model.noise_amp[2] = 0.0
        one, two = pictures
        assert torch.equal(one, two)


@pytest.mark.parametrize("extend", [(0, 40, 0, 0), (0, 0, 0, 33), (0, 40, 0, 9), (1, 40, 2, 33)])
def test_a_canvas_does_not_stretch_the_picture(extend: tuple[int, int, int, int]) -> None:
    """Wherever it goes on: known pixels are enlarged by the stages' own ratio."""
    config = make_config(generator="singan", train_stages=8)
    sizes = modes.get("generation").stage_sizes((167, 250), config)
    ratio = scale_factor(sizes[-1], 8, config.min_size)
    margins = [Fraction(n, side) for n, side in zip(extend, (167, 167, 250, 250), strict=True)]
    canvas = Frame.around(sizes, margins, "zeros").places
    for below, above in itertools.pairwise(canvas):
        assert resampling(below.rows, above.rows, ratio).scale == ratio
        assert resampling(below.columns, above.columns, ratio).scale == ratio


def test_bf16_draws_what_fp32_does(tmp_path: Path) -> None:
    run = ConSinGAN.train(**options(tmp_path))
    models = [ConSinGAN.load(run, precision="fp32") for _ in range(2)]
    models[1].set_precision(torch.bfloat16)
    pictures = [next(model.sample(seed=1)) for model in models]
    assert float((pictures[0] - pictures[1]).abs().mean()) < 0.05


def test_fine_tuning_goes_on_with_the_last_stage(tmp_path: Path) -> None:
    run = ConSinGAN.train(**options(tmp_path, train_mode="harmonization"))
    naive = write_picture(tmp_path / "naive.png", seed=1)
    write_mask(tmp_path / "naive_mask.png")
    tuned = ConSinGAN.train(
        fine_tune=True, model_dir=str(run), naive_img=str(naive), niter=2, not_cuda=True,
        output_dir=str(tmp_path / "tuned"), precision="fp32",
    )  # fmt: skip
    before, after = (ConSinGAN.load(path).generator.state_dict() for path in (run, tuned))
    for name, value in before.items():
        assert torch.equal(value, after[name]) or name.startswith("stages.1"), name
    assert not torch.equal(before["stages.1.tail.0.weight"], after["stages.1.tail.0.weight"])


REFUSED = [
    (["--train_mode", "super_resolution"], "--train_mode super_resolution"),
    (["--train_mode", "dehazing"], "--train_mode dehazing"),
    (["--train_mode", "inpainting"], "--train_mode inpainting"),
    (["--train_depth", "2"], "--train_depth 2"),
    (["--fade_in", "0.5"], "--fade_in is an option of --generator consingan"),
    (["--scale_factor", "1"], "--scale_factor"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=str)
def test_what_makes_no_sense_is_one_line(
    tmp_path: Path, script: Callable[..., Outcome], words: list[str], message: str
) -> None:
    flags = as_flags(options(tmp_path))
    done = script(main_train, *flags, *words)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_parts_of_pictures_are_refused(tmp_path: Path, script: Callable[..., Outcome]) -> None:
    run = ConSinGAN.train(**options(tmp_path))
    for words in (["--tile", 16], ["--window", 0, 0, 4, 4]):
        done = script(evaluate_model, "--model_dir", run, "--not_cuda", *words)
        assert done.code == 2
        assert f"{words[0]}" in done.err
        assert "whole pictures only" in done.err
        assert done.err.count("\n") == 1


# Published weights ------------------------------------------------------------------------------


def published_files(folder: Path, num_stages: int = 5, channels: int = 3) -> SinGAN:
    """What SinGAN's code would leave of a model whose weights are any."""
    torch.manual_seed(0)
    ratio = (11 / 24) ** (1 / (num_stages - 1))
    picture = torch.rand((1, channels, 24, 30)) * 2 - 1
    reals = make_pyramid(picture, num_stages, 11, 30, geometric_scales)
    nets = [Network(8 * 2 ** (stage // 4), channels) for stage in range(num_stages)]
    critics = [Network(8 * 2 ** (s // 4), channels, critic=True) for s in range(num_stages)]
    amplitudes: list[object] = [1, *(torch.tensor(0.1 + 0.01 * i) for i in range(num_stages - 1))]
    noise = torch.randn((1, 1, *reals[0].shape[2:])).expand(-1, channels, -1, -1)
    zs = [torch.nn.functional.pad(z, (5,) * 4) for z in (noise, *map(torch.zeros_like, reals[1:]))]
    for stage in range(num_stages):
        (folder / str(stage)).mkdir(parents=True)
        torch.save(nets[stage].state_dict(), folder / str(stage) / "netG.pth")
        torch.save(critics[stage].state_dict(), folder / str(stage) / "netD.pth")
    torch.save(reals, folder / "reals.pth")
    torch.save(zs, folder / "Zs.pth")
    torch.save(amplitudes, folder / "NoiseAmp.pth")
    return SinGAN(ratio, sizes_of(reals), nets, [float(a) for a in amplitudes])


def textbook_picture(textbook: SinGAN, noise: list[Tensor]) -> Tensor:
    with torch.no_grad():
        return textbook.stage(len(noise) - 1, noise[-1], textbook.previous(noise[:-1]))


def test_published_models_draw_what_they_drew(tmp_path: Path) -> None:
    textbook = published_files(tmp_path / "picture" / "scale_factor=0.750000,alpha=10")
    words = [sys.executable, "-m", "ConSinGAN.published",
             str(tmp_path / "picture" / "scale_factor=0.750000,alpha=10"),
             "--output_dir", str(tmp_path / "runs")]  # fmt: skip
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs" / "picture").iterdir()
    model = ConSinGAN.load(run, precision="fp32")
    assert model.sizes == list(textbook.sizes)
    noise = [torch.randn(z.shape) for z in model.fixed_noise]
    drawn = model.draw(noise)
    assert torch.allclose(drawn, textbook_picture(textbook, noise), rtol=0, atol=1e-5)
    remembered = textbook_picture(textbook, model.fixed_noise)
    assert torch.allclose(model.reconstruct(), remembered, rtol=0, atol=1e-5)
    assert float(model.fixed_noise[0].std()) > 0.5
    assert RunDirectory(run).load_judge(model.config)[0].head.conv.out_channels == 16
    assert next(model.sample(scale=(2, 1))).shape == (1, 3, 48, 30)


def test_what_is_not_singans_is_named(tmp_path: Path, script: Callable[..., Outcome]) -> None:
    folder = tmp_path / "published"
    published_files(folder, 2)

    def refused(message: str) -> None:
        done = script(published, folder, "--output_dir", tmp_path / "runs")
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        assert message in done.err
        assert not (tmp_path / "runs").exists()

    (folder / "1" / "netG.pth").rename(folder / "netG.pth")
    refused("1 generators, 2 noise amplitudes")
    (folder / "netG.pth").rename(folder / "1" / "netG.pth")
    good = torch.load(folder / "0" / "netG.pth", weights_only=True)
    torch.save({**good, "tail.0.weight": torch.zeros(1)}, folder / "0" / "netG.pth")
    refused("generator of stage 0: is not SinGAN's (tail.0.weight")
    torch.save([1, 2], folder / "0" / "netG.pth")
    refused("is not a state dictionary")
    torch.save(good, folder / "0" / "netG.pth")
    torch.save([torch.zeros(1, 3, 11, 14), torch.zeros(1, 3, 29, 30)], folder / "reals.pth")
    refused("are not those of SinGAN")
    torch.save({"a": 1}, folder / "reals.pth")
    refused("reals.pth: is not a list")
    (folder / "Zs.pth").unlink()
    torch.save([], folder / "reals.pth")
    refused("Zs.pth: there is no such file")
    with pytest.raises(UsageError, match="no 0/netG"):
        published.import_singan(tmp_path / "nowhere")


def test_state_dictionaries_may_count_blocks_from_zero_and_be_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    textbook = published_files(tmp_path / "x", 2)
    for stage, network in enumerate(textbook.stages):
        weights = {name.replace("block1", "block0").replace("block2", "block1")
                   .replace("block3", "block2"): value
                   for name, value in network.state_dict().items()}  # fmt: skip
        (tmp_path / "x" / str(stage) / "netG.pth").unlink()
        save_file(weights, tmp_path / "x" / str(stage) / "netG.safetensors")
    run = published.import_singan(tmp_path / "x", tmp_path / "runs")
    model = run.load_model()
    wanted = textbook_picture(textbook, model.fixed_noise)
    assert torch.allclose(model.reconstruct(), wanted, rtol=0, atol=1e-5)
    with Image.open(run.path / "1" / "real_scale.png") as picture:
        assert picture.size == (30, 24)
