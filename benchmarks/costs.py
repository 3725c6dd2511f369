"""What parts cost: seconds and memory of every setting of `quality.py --parts`.

    python benchmarks/costs.py [--picture FILE] [--setting "NAME=FLAGS" ...] [--common FLAGS]
                               [--iterations 4 16] [--rounds 3]

Each setting is trained by `main_train.py` with few and with more iterations a stage; what the
second takes longer is what its further iterations take, the mean over all stages. Times are the
processor's for the process, of one thread, so that other work does not count. Settings take turns,
and of the rounds the median counts. Memory is the highest that the process held.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from quality import PARTS

ROOT = Path(__file__).resolve().parent.parent
COMMON = "--not_cuda --threads 1 --min_size 18 --max_size 64 --train_stages 4"


def train(picture: Path, flags: str, niter: int, folder: Path) -> tuple[float, int, int]:
    """A training by the command line: the processor's seconds, bytes, and how many stages."""
    words = [
        sys.executable, "main_train.py", "--train_mode", "generation", "--input_name", str(picture),
        "--niter", str(niter), "--manualSeed", "0", "--output_dir", str(folder),
        "--preview_every", "100000000", *shlex.split(flags),
    ]  # fmt: skip
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, cwd=ROOT, stdout=quiet, stderr=quiet)
    _, status, usage = os.wait4(process.pid, 0)
    took = usage.ru_utime + usage.ru_stime
    if status:
        raise SystemExit(f"failed: {shlex.join(words)}")
    (run,) = folder.glob("*/*")
    stages = sum(one.name.isdigit() for one in run.iterdir())
    return took, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), stages


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    picture = ROOT / "Images/Generation/summer_palace.jpg"
    parser.add_argument("--picture", type=Path, default=picture)
    parser.add_argument("--setting", action="append", metavar="NAME=FLAGS")
    parser.add_argument("--common", default=COMMON, help="flags for all", metavar="FLAGS")
    parser.add_argument("--iterations", type=int, nargs=2, default=(4, 16), metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    flags = parser.parse_args()
    typed = dict(text.split("=", 1) for text in flags.setting or ()) or PARTS
    few, more = flags.iterations
    if not 0 < few < more or flags.rounds < 1:
        parser.error("iterations must be two numbers, the second larger; rounds at least 1")
    seconds: dict[str, list[float]] = {name: [] for name in typed}
    memory: dict[str, int] = {}
    stages: dict[str, int] = {}
    for _ in range(flags.rounds):
        for name, words in typed.items():
            took = []
            for niter in (few, more):
                with tempfile.TemporaryDirectory() as folder:
                    one, held, stages[name] = train(
                        flags.picture.absolute(), f"{flags.common} {words}", niter, Path(folder)
                    )
                took.append(one)
                memory[name] = max(held, memory.get(name, 0))
            seconds[name].append((took[1] - took[0]) / (more - few) / stages[name])
    first = statistics.median(next(iter(seconds.values())))
    print("| setting | stages | ms an iteration, mean of stages | of the first | all stages | MB |")
    print("|---|---|---|---|---|---|")
    for name, values in seconds.items():
        mean, own = statistics.median(values), stages[name]
        spread = f"{1000 * min(values):.1f} to {1000 * max(values):.1f}"
        whole = mean * own / (first * next(iter(stages.values())))
        print(
            f"| {name} | {own} | {1000 * mean:.1f} ({spread}) | {mean / first:.2f} | {whole:.2f} "
            f"| {memory[name] / 2**20:.0f} |"
        )


if __name__ == "__main__":
    main()
