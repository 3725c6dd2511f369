"""How fast is the toolkit? Compare it with `textbook.py`, the same iteration without any care.

    python benchmarks/speed.py              every stage of the default run, both sides in turn
    python benchmarks/speed.py --quick      the same in a few minutes
    python benchmarks/speed.py --memory     peak memory of one iteration at --max_size 1000
    python benchmarks/speed.py --sampling   pictures per second, files included
    python benchmarks/speed.py --growth     cost per iteration against the number of pixels
    python benchmarks/speed.py --bound      our share of what the convolutions alone would take

With --isa avx2 (or avx512) libraries are told to behave as on such a processor; --busy N lets N
other processes calculate meanwhile; --precision is the toolkit's, the textbook's is float32.

Both sides get the same pictures, weights and noise, and must report the same losses in float32
before anything is timed. Each has a process of its own, the textbook's without any setting of the
toolkit's. They are timed in turn, round after round, so that a slow moment of the machine hits
both. The last line of the first two is `ratio: X`, for the whole run.
"""

from __future__ import annotations

import os

ENVIRONMENT = dict(os.environ)  # as the user has it, before the toolkit may set anything

import argparse  # noqa: E402
import multiprocessing  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ConSinGAN import threads  # noqa: E402

threads.limit_spinning()  # as the scripts do, before torch is loaded

import machine  # noqa: E402
import torch  # noqa: E402
from bound import compare_bound  # noqa: E402
from stages import Stage, seconds  # noqa: E402
from textbook_process import TextbookProcess  # noqa: E402

from ConSinGAN import hardware  # noqa: E402
from ConSinGAN.config import TrainConfig  # noqa: E402
from ConSinGAN.evaluation import SCHEMA  # noqa: E402
from ConSinGAN.results import Results  # noqa: E402
from ConSinGAN.tasks.samples import Samples  # noqa: E402
from ConSinGAN.tasks.writing import write_results  # noqa: E402


def check_losses(textbook: TextbookProcess, device: torch.device) -> None:
    """Both sides must give the same losses from the same weights, noise and coefficients."""
    stage = Stage(3, 250, device, torch.float32)
    noise = [torch.randn(shape) for shape in stage.noise_shapes()]
    coefficients = torch.tensor([0.3, 0.6, 0.9])
    textbook.ask("prepare", stage.setup())
    expected = textbook.ask("losses", noise, coefficients.tolist())
    chance = {"coefficient": coefficients.to(device)}
    actual = stage.iteration().step([z.to(device) for z in noise], chance)
    for name, value in expected.items():
        if abs(float(actual[name]) - value) > 1e-3 * abs(value) + 1e-4:
            sys.exit(f"the losses differ: {name} {float(actual[name])} and {value}")
    print("losses: the same, stage 3 in float32")


def compare_stages(
    textbook: TextbookProcess, device: torch.device, dtype: torch.dtype, budget: float
) -> None:
    """Time both sides at every stage for about `budget` seconds each, and print the table."""
    niter, totals = TrainConfig().niter, [0.0, 0.0]
    print(f"{'stage':>5} {'size':>9} {'toolkit ms':>11} {'textbook ms':>12} {'ratio':>6}")
    for index in range(TrainConfig().train_stages):
        stage = Stage(index, 250, device, dtype)
        textbook.ask("prepare", stage.setup())
        run = stage.run()
        sides = [lambda n, run=run: seconds(run, n, device), lambda n: textbook.ask("seconds", n)]
        once = [min(side(1) for _ in range(2)) for side in sides]  # and warm up
        rounds = max(1, min(5, round(budget / sum(once) / 2)))
        times = [max(1, round(budget / rounds / 2 / t)) for t in once]
        measured = [[], []]
        for _ in range(rounds):
            for side, num, into in zip(sides, times, measured, strict=True):
                into.append(side(num))
        mean = [sorted(m)[len(m) // 2] for m in measured]
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
        run = stage.run()
        run()
        milliseconds = 1e3 * min(seconds(run, 2, device) for _ in range(2))
        pixels = stage.model.real.shape[-1] * stage.model.real.shape[-2]
        print(f"max_size {max_size:>4}: {milliseconds:8.0f} ms, {milliseconds * 1e3 / pixels:.1f} "
              "ms per 1000 pixels", flush=True)  # fmt: skip


def _peak_of_toolkit(dtype: torch.dtype, queue: multiprocessing.Queue) -> None:
    hardware.tune()
    cpu = torch.device("cpu")
    peaks = []
    for index, max_size, times in ((0, 250, 1), (5, 1000, 2)):  # first: libraries, kernels
        run = Stage(index, max_size, cpu, dtype).run()
        for _ in range(times):
            run()
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    queue.put(peaks)


def compare_memory(dtype: torch.dtype) -> None:
    """Peak resident memory above the idle process, one child process for each side."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_peak_of_toolkit, args=(dtype, queue))
    process.start()
    peaks = {"toolkit": queue.get()}
    process.join()
    with TextbookProcess(ENVIRONMENT) as textbook:
        peaks["textbook"] = []
        for index, max_size, times in ((0, 250, 1), (5, 1000, 2)):
            stage = Stage(index, max_size, torch.device("cpu"), torch.float32)
            textbook.ask("prepare", stage.setup())
            textbook.ask("seconds", times)
            peaks["textbook"].append(textbook.ask("peak_memory"))
    above = {side: (peak - idle) / 2**20 for side, (idle, peak) in peaks.items()}
    for side, gigabytes in above.items():
        print(f"{side}: {gigabytes:.2f} GiB at 667x1000", flush=True)
    print(f"share: {above['toolkit'] / above['textbook']:.2f}")


def compare_sampling(
    textbook: TextbookProcess, device: torch.device, dtype: torch.dtype, num_samples: int = 50
) -> None:
    """Pictures per second at 250 pixels, files included."""
    stage = Stage(5, 250, device, dtype)
    model = stage.model
    textbook.ask("prepare", stage.setup())
    config = SCHEMA.build(typed={"task": "samples", "num_samples": num_samples, "scale_h": 1.0})
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(4):  # the first warms up
            results = Results(Path(folder))
            ours = seconds(
                lambda to=results: write_results(Samples(), model, config, to), 1, device
            )
            rounds.append((ours / num_samples, textbook.ask("sampling_seconds", 20)))
    ours, theirs = (min(side) for side in zip(*rounds[1:], strict=True))
    print(f"toolkit {ours * 1e3:.1f} ms per picture ({1 / ours:.1f} per second)")
    print(f"textbook {theirs * 1e3:.1f} ms per picture ({1 / theirs:.1f} per second)")
    print(f"sampling ratio: {theirs / ours:.2f}")


def compare(flags: argparse.Namespace) -> None:
    """Run what the flags ask for."""
    hardware.tune()
    device = torch.device(flags.device)
    dtype = hardware.select_precision(flags.precision, device)
    print(f"{machine.describe(device)}, toolkit in {dtype}, textbook in float32", flush=True)
    if flags.memory:
        compare_memory(dtype)
    elif flags.growth:
        compare_growth(device, dtype)
    elif flags.bound:
        compare_bound(device, dtype)
    else:
        with TextbookProcess(ENVIRONMENT) as textbook:
            if flags.sampling:
                compare_sampling(textbook, device, dtype)
            else:
                check_losses(textbook, device)
                compare_stages(textbook, device, dtype, budget=12 if flags.quick else 60)


def main() -> None:
    """Parse the flags and run what they ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--isa", choices=tuple(machine.LIMITS), help="limit the instructions")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="busy processes beside")
    for flag in ("quick", "memory", "sampling", "growth", "bound"):
        parser.add_argument(f"--{flag}", action="store_true")
    flags = parser.parse_args()
    if flags.isa:
        machine.run_again(flags.isa, ENVIRONMENT)
    with machine.busy(flags.busy, ENVIRONMENT):
        compare(flags)


if __name__ == "__main__":
    main()
