"""Does bf16 arithmetic cost quality? Compare it with float32 and with the spread of seeds.

    python benchmarks/precision.py [--max_size 64] [--niter 200] [--seeds 3]

For two bundled pictures, with and without batch normalisation, and several seeds, two numbers:
the error of the reconstruction (root mean square, in byte levels), and how far the samples are
from the picture: the sliced Wasserstein distance of 7x7 patches (mean absolute difference of
sorted projections on 256 random directions, in byte levels, lower is closer).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import ConSinGAN

ROOT = Path(__file__).resolve().parent.parent

PICTURES = ("Images/Generation/summer_palace.jpg", "Images/Generation/gravel.jpg")


def patch_projections(image: Tensor, directions: Tensor) -> Tensor:
    """Sorted projections of all 7x7 patches, (directions, patches), in byte levels."""
    patches = F.unfold(image * 127.5, 7)[0]  # C*49 patches
    return (directions @ patches).sort(dim=1).values


def sample_distance(real: Tensor, samples: list[Tensor]) -> float:
    """Mean sliced Wasserstein distance of the samples' patches from the picture's."""
    directions = torch.randn(256, real.shape[1] * 49, generator=torch.Generator().manual_seed(0))
    directions = F.normalize(directions, dim=1)
    target = patch_projections(real, directions)
    distances = [(patch_projections(s, directions) - target).abs().mean() for s in samples]
    return float(torch.stack(distances).mean())


def train_and_measure(
    picture: str, seed: int, flags: argparse.Namespace, **options: object
) -> tuple:
    """Returns (reconstruction error, sample distance) of one model."""
    with tempfile.TemporaryDirectory() as folder:
        run = ConSinGAN.train(
            input_name=str(ROOT / picture), output_dir=folder, manualSeed=seed, not_cuda=True,
            max_size=flags.max_size, niter=flags.niter, train_stages=4, preview_every=10**9,
            **options,
        )  # fmt: skip
        model = ConSinGAN.load(run)
    error = F.mse_loss(model.reconstruct(), model.real).sqrt() * 127.5
    return float(error), sample_distance(model.real, list(model.sample(10)))


def main() -> None:
    """Train every combination and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("max_size", 64), ("niter", 200), ("seeds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    flags = parser.parse_args()
    print(f"{'picture':<15} {'norm':<5} {'precision':<9} {'reconstruction':>18} {'samples':>18}")
    for picture in PICTURES:
        for batch_norm in (False, True):
            for precision in ("fp32", "bf16"):
                options = {"batch_norm": batch_norm, "precision": precision}
                results = [
                    train_and_measure(picture, s, flags, **options) for s in range(flags.seeds)
                ]
                cells = [
                    f"{statistics.mean(column):.2f} +- {statistics.stdev(column):.2f}"
                    for column in zip(*results, strict=True)
                ]
                norm = "batch" if batch_norm else "none"
                print(f"{Path(picture).stem:<15} {norm:<5} {precision:<9} "
                      f"{cells[0]:>18} {cells[1]:>18}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
