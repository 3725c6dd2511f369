"""What the fleet is worth: many small pictures on two cores, beside each other or one by one.

    python benchmarks/fleet.py [--number 12] [--out DIR]

Trains pictures with `fleet train --workers 2`, one thread each, then one after the other in one
process with two threads each, and says how long both took, Ray's start apart. Then trains each by
itself with one thread and compares the weights, which must be the same to the bit. Quiet machines
only: the threads of the single runs suffer most from company.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import ConSinGAN  # noqa: E402

PICTURE = ROOT / "Images/Generation/summer_palace.jpg"
SETTINGS = {
    "train_stages": 4, "min_size": 18, "max_size": 40, "niter": 40, "precision": "fp32",
    "not_cuda": True, "manualSeed": 0, "preview_every": 10**6,
}  # fmt: skip


def cut(folder: Path, number: int) -> list[Path]:
    """So many pieces of a bundled picture."""
    folder.mkdir(parents=True)
    whole = Image.open(PICTURE)
    side = min(whole.size) // 2
    pieces = []
    for i in range(number):
        left, top = (whole.width - side) * i // number, (whole.height - side) * (i % 3) // 2
        pieces.append(folder / f"piece{i:02}.png")
        whole.crop((left, top, left + side, top + side)).save(pieces[-1])
    return pieces


def train_alone(pieces: list[Path], out: Path, threads: int) -> tuple[float, list[Path]]:
    """Train one after the other; seconds, and the run directories."""
    start, runs = time.perf_counter(), []
    for piece in pieces:
        runs.append(
            ConSinGAN.train(input_name=str(piece), output_dir=str(out), threads=threads, **SETTINGS)
        )
    return time.perf_counter() - start, runs


def train_together(folder: Path, out: Path) -> tuple[float, float]:
    """Seconds of the whole command, and of them those until the first run was begun."""
    words = [
        word
        for name, value in SETTINGS.items()
        for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])
    ]
    command = [sys.executable, "-m", "ConSinGAN.fleet", "train", str(folder), *words]
    command += ["--workers", "2", "--threads_per_run", "1", "--output_dir", str(out)]
    start, began = time.time(), time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT)
    took = time.perf_counter() - began
    first = min(path.stat().st_mtime for path in out.glob("*/reals.safetensors"))
    return took, first - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=12)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp())
    pieces = cut(out / "pieces", args.number)
    together, until_begun = train_together(out / "pieces", out / "together")
    train_alone(pieces[:1], out / "warm", 2)
    one_by_one, _ = train_alone(pieces, out / "two_threads", 2)
    _, runs = train_alone(pieces, out / "one_thread", 1)
    same = [
        (run / name).read_bytes() == (out / "together" / piece.stem / name).read_bytes()
        for piece, run in zip(pieces, runs, strict=True)
        for name in sorted(str(p.relative_to(run)) for p in run.rglob("*.safetensors"))
    ]
    print(f"together {together:.1f} s, of them until the first was begun {until_begun:.1f} s")
    print(f"one by one, two threads each, {one_by_one:.1f} s")
    print(f"ratio without the start {(together - until_begun) / one_by_one:.2f}")
    print(f"files of tensors that are the same to the bit: {sum(same)} of {len(same)}")


if __name__ == "__main__":
    main()
