"""How fast is the toolkit? Compare it with `textbook.py`, the same iteration without any care.

    python benchmarks/speed.py              every stage of the default run, both sides in turn
    python benchmarks/speed.py --quick      the same in under three minutes
    python benchmarks/speed.py --memory     peak memory of one iteration at --max_size 1000
    python benchmarks/speed.py --sampling   pictures per second, files included
    python benchmarks/speed.py --growth     cost per iteration against the number of pixels

Both sides get the same pictures, weights and noise, and must report the same losses in float32
before anything is timed. They are timed in turn, round after round, so that a slow moment of the
machine hits both. The last line of the first two is `ratio: X`, for the whole run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import textbook

from ConSinGAN import hardware, modes
from ConSinGAN.config import EvalConfig, TrainConfig
from ConSinGAN.iteration import Iteration
from ConSinGAN.noise import RandomStreams
from ConSinGAN.results import Results
from ConSinGAN.sampling import ImageModel, make_critic, make_generator
from ConSinGAN.state import make_optimizers

PICTURE = (433, 650)  # (H, W) of the picture; the default run trains it at 167x250
AMPLITUDE = 0.05


class Stage:
    """One stage of a run in both versions, with the same weights and pictures."""

    def __init__(self, stage: int, max_size: int, device: torch.device, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        config, mode = TrainConfig(manualSeed=0, max_size=max_size), modes.get("generation")
        self.streams = RandomStreams(0, device)
        picture = torch.rand((1, 3, *PICTURE)) * 2 - 1
        if max_size > max(PICTURE):
            picture = torch.nn.functional.interpolate(picture, scale_factor=max_size / 650)
        reals = [real.to(device) for real in mode.make_pyramid(picture, config)]
        generator, self.critic = make_generator(config, mode), make_critic(config)
        for _ in range(stage):
            generator.grow()
        self.model = model = ImageModel(config, mode, generator.to(device), reals)
        model.fixed_noise = [
            reals[0],
            *model.noise_shape.draw(model.sizes, self.streams.noise, first=1),
        ]
        model.noise_amp = [1.0] + [AMPLITUDE] * stage
        generator.dtype = self.critic.to(device).dtype = dtype
        self.config, self.stage, self.device = config, stage, device

    def product(self) -> Iteration:
        """The toolkit's iteration."""
        optimizers = make_optimizers(self.model, self.critic, self.config)
        return Iteration(self.model, self.critic, optimizers, self.streams)

    def run_product(self) -> Callable[[], object]:
        """One whole iteration of the toolkit, noise included."""
        step, mode = self.product(), self.model.mode
        return lambda: step(mode.draw_input(self.model.reals[0], self.streams))

    def textbook(self) -> Callable[[list[Tensor], list[float]], dict[str, Tensor]]:
        """The textbook's iteration as a function of noise and penalty coefficients."""
        model = self.model
        generator = textbook.TextbookGenerator(num_stages=self.stage + 1)
        generator.load_state_dict(model.generator.state_dict())
        critic = textbook.TextbookCritic()
        critic.load_state_dict(self.critic.state_dict())
        generator, critic = generator.to(self.device), critic.to(self.device)
        optimizers = textbook.make_optimizers(generator, critic, self.stage, 3)
        fixed = [z.contiguous() for z in model.fixed_noise]

        def iterate(noise: list[Tensor], alphas: list[float]) -> dict[str, Tensor]:
            return textbook.iterate(
                generator, critic, *optimizers, model.real, noise, fixed, model.sizes,
                model.noise_amp, alphas,
            )  # fmt: skip

        return iterate

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the noise maps of all stages."""
        model = self.model
        return [model.noise_shape.at(i, size) for i, size in enumerate(model.sizes)]

    def run_textbook(self) -> Callable[[], object]:
        """One whole iteration of the textbook, noise included."""
        iterate, shapes = self.textbook(), self.noise_shapes()

        def run() -> object:
            noise = [torch.randn(shape, device=self.device) for shape in shapes]
            return iterate(noise, torch.rand(3).tolist())

        return run


def check_losses(device: torch.device) -> None:
    """Both sides must give the same losses from the same weights, noise and coefficients."""
    stage = Stage(3, 250, device, torch.float32)
    noise = [torch.randn(shape, device=device) for shape in stage.noise_shapes()]
    coefficients = torch.tensor([0.3, 0.6, 0.9], device=device)
    expected = stage.textbook()(noise, coefficients.tolist())
    actual = stage.product().step(noise, coefficients)
    for name, value in expected.items():
        difference = abs(float(actual[name]) - float(value))
        if difference > 1e-3 * abs(float(value)) + 1e-4:
            sys.exit(f"the losses differ: {name} {float(actual[name])} and {float(value)}")
    print("losses: the same, stage 3 in float32")


def seconds(run: Callable[[], object], times: int, device: torch.device) -> float:
    """Mean wall-clock seconds of one call."""
    start = time.perf_counter()
    for _ in range(times):
        run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - start) / times


def compare_stages(device: torch.device, dtype: torch.dtype, budget: float) -> None:
    """Time both sides at every stage for about `budget` seconds each, and print the table."""
    niter, totals = TrainConfig().niter, [0.0, 0.0]
    print(f"{'stage':>5} {'size':>9} {'toolkit ms':>11} {'textbook ms':>12} {'ratio':>6}")
    for index in range(TrainConfig().train_stages):
        stage = Stage(index, 250, device, dtype)
        runs = [stage.run_product(), stage.run_textbook()]
        once = [min(seconds(run, 1, device) for _ in range(2)) for run in runs]  # and warm up
        rounds = max(1, min(5, round(budget / sum(once) / 2)))
        times = [max(1, round(budget / rounds / 2 / t)) for t in once]
        best = [[], []]
        for _ in range(rounds):
            for side, run in enumerate(runs):
                best[side].append(seconds(run, times[side], device))
        mean = [sorted(b)[len(b) // 2] for b in best]
        totals = [total + m for total, m in zip(totals, mean, strict=True)]
        height, width = stage.model.sizes[-1]
        print(
            f"{index:>5} {f'{width}x{height}':>9} {mean[0] * 1e3:>11.1f} {mean[1] * 1e3:>12.1f} "
            f"{mean[1] / mean[0]:>6.2f}",
            flush=True,
        )
    minutes = [total * niter / 60 for total in totals]
    print(f"whole run, {niter} iterations per stage: {minutes[0]:.1f} min, {minutes[1]:.1f} min")
    print(f"ratio: {totals[1] / totals[0]:.2f}")


def compare_growth(device: torch.device, dtype: torch.dtype) -> None:
    """Milliseconds per iteration of the last stage and per megapixel, from 125 to 1000 pixels."""
    for max_size in (125, 250, 500, 1000):
        stage = Stage(5, max_size, device, dtype)
        run = stage.run_product()
        run()
        milliseconds = 1e3 * min(seconds(run, 2, device) for _ in range(2))
        pixels = stage.model.real.shape[-1] * stage.model.real.shape[-2]
        print(f"max_size {max_size:>4}: {milliseconds:8.0f} ms, {milliseconds * 1e3 / pixels:.1f} "
              "ms per 1000 pixels", flush=True)  # fmt: skip


def _peak(side: str, queue: multiprocessing.Queue) -> None:
    hardware.tune()
    cpu = torch.device("cpu")
    dtype = hardware.select_precision("auto", cpu)
    small = Stage(0, 250, cpu, dtype)
    small.run_product()()  # libraries are loaded, kernels are made
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stage = Stage(5, 1000, cpu, dtype if side == "toolkit" else torch.float32)
    run = stage.run_product() if side == "toolkit" else stage.run_textbook()
    for _ in range(2):
        run()
    queue.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 2**20)


def compare_memory() -> None:
    """Peak resident memory above the idle process, one child process for each side."""
    context = multiprocessing.get_context("spawn")
    peaks = {}
    for side in ("toolkit", "textbook"):
        queue = context.Queue()
        process = context.Process(target=_peak, args=(side, queue))
        process.start()
        peaks[side] = queue.get()
        process.join()
        print(f"{side}: {peaks[side]:.2f} GiB at 667x1000", flush=True)
    print(f"share: {peaks['toolkit'] / peaks['textbook']:.2f}")


def compare_sampling(device: torch.device, dtype: torch.dtype, num_samples: int = 50) -> None:
    """Pictures per second at 250 pixels, files included."""
    stage = Stage(5, 250, device, dtype)
    model = stage.model
    generator = textbook.TextbookGenerator(num_stages=6).to(device)
    generator.load_state_dict(model.generator.state_dict())
    config = replace(EvalConfig(), num_samples=num_samples, scale_h=1.0)
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            lambda: model.mode.evaluate(model, config, Results(Path(folder))),
            lambda: textbook.save_samples(
                generator, model.sizes, stage.noise_shapes(), model.noise_amp, Path(folder), 20
            ),
        ]
        for run in runs:
            run()
        rounds = [[seconds(run, 1, device) for run in runs] for _ in range(3)]
    ours = min(row[0] for row in rounds) / num_samples
    theirs = min(row[1] for row in rounds) / 20
    print(f"toolkit {ours * 1e3:.1f} ms per picture ({1 / ours:.1f} per second)")
    print(f"textbook {theirs * 1e3:.1f} ms per picture ({1 / theirs:.1f} per second)")
    print(f"sampling ratio: {theirs / ours:.2f}")


def main() -> None:
    """Parse the flags and run what they ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    for flag in ("quick", "memory", "sampling", "growth"):
        parser.add_argument(f"--{flag}", action="store_true")
    flags = parser.parse_args()
    hardware.tune()
    device = torch.device(flags.device)
    dtype = hardware.select_precision(flags.precision, device)
    print(f"{platform.processor() or platform.machine()}, {hardware.describe(device)}, "
          f"torch {torch.__version__}, toolkit in {dtype}, textbook in float32")  # fmt: skip
    if flags.memory:
        compare_memory()
    elif flags.sampling:
        compare_sampling(device, dtype)
    elif flags.growth:
        compare_growth(device, dtype)
    else:
        check_losses(device)
        compare_stages(device, dtype, budget=12 if flags.quick else 60)


if __name__ == "__main__":
    main()
