"""How good are the models? Train pictures with several settings and seeds, and measure them.

    python benchmarks/quality.py [--pictures FILE ...] [--setting "NAME=FLAGS" ...] [--seeds 2]
                                 [--out DIR] [--jobs N] [--common FLAGS] [--num_samples 50]

A sweep (`python -m ConSinGAN.fleet sweep`, which knows grids) of settings with names: `--jobs`
runs at the same time, and the same command goes on where it was stopped. It leaves in --out what
every sweep leaves, trials.csv (every value), table.md (means and spread) and sheet_<picture>.png
among it, and differences.md: every setting against the first one.

Without --setting: the fast default against float32, 3 stages and lr_scale 0.5. With --parts: every
objective, critic, generator and addition against the default (docs/parts.md).

    python benchmarks/quality.py --calibrate [--pictures FILE ...]

trains nothing: it spoils the pictures in known ways and prints what the metrics say of that.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ConSinGAN import console, launch  # noqa: E402
from ConSinGAN.atomic import write_atomic  # noqa: E402
from ConSinGAN.errors import UsageError, run_script  # noqa: E402
from ConSinGAN.fleet import sweep, train  # noqa: E402
from ConSinGAN.fleet.findings import TABLE  # noqa: E402
from ConSinGAN.fleet.grid import Setting  # noqa: E402
from ConSinGAN.fleet.options import FleetConfig  # noqa: E402
from ConSinGAN.fleet.outcomes import Outcome, metrics_of  # noqa: E402
from ConSinGAN.fleet.sweep_options import SweepConfig  # noqa: E402
from ConSinGAN.fleet.sweeping import Sweep, carry_out  # noqa: E402

COMMON = "--not_cuda --min_size 18 --max_size 64 --niter 600"
PICTURES = [ROOT / "Images/Generation/summer_palace.jpg", ROOT / "Images/Generation/tissue.jpg"]
SETTINGS = {
    "bf16": "--precision bf16",
    "fp32": "--precision fp32",
    "3 stages": "--precision bf16 --train_stages 3",
    "lr_scale 0.5": "--precision bf16 --lr_scale 0.5",
}
PARTS = {
    "default": "",
    "wgan": "--objective wgan",
    "lsgan": "--objective lsgan",
    "nonsaturating": "--objective nonsaturating",
    "nonsaturating, r1": "--objective nonsaturating --r1 0.2 --lr_d 0.0005",
    "hinge": "--objective hinge",
    "hinge, smoothed": "--objective hinge --label_smoothing 0.2",
    "began": "--objective began",
    "multiscale": "--critic multiscale",
    "multiscale, matching": "--critic multiscale --feature_matching 10",
    "autoencoding": "--critic autoencoding",
    "augmented": "--augment_critic colour,translation,cutout",
    "fade-in": "--fade_in 0.5",
    "skip excitation": "--skip_excitation",
    "singan": "--generator singan --train_stages 5",  # as many as its paper's rule gives here
}
PARTS_COMMON = (  # narrow, so that there is time for enough iterations
    "--not_cuda --precision bf16 --min_size 18 --max_size 64 --train_stages 4 --nfc 32 --niter 600"
)
PARTS_PICTURES = sorted((ROOT / "Images/Generation").glob("*.jpg"))
NO_PREVIEWS = {"preview_every": 10**9}


def flags_of(words: str) -> dict[str, Any]:
    """Flags of training, as typed."""
    flags = vars(launch.make_parser(None).parse_args(shlex.split(words)))
    return {name: value for name, value in flags.items() if name != "level"}


def make_sweep(flags: argparse.Namespace) -> Sweep:
    """The sweep that flags stand for. Raises UsageError."""
    usual = PARTS if flags.parts else SETTINGS
    typed = dict(text.split("=", 1) for text in flags.setting or ()) or usual
    common = {**NO_PREVIEWS, **flags_of(flags.common)}
    settings = [Setting(name, flags_of(words)) for name, words in typed.items()]
    pictures = train.find([str(picture) for picture in flags.pictures])
    for setting in settings:
        sweep.check({**common, **setting.flags}, pictures[0])
    about = {"common": flags.common, "seeds": flags.seeds, "num_samples": flags.num_samples}
    about["setting"] = "; ".join(f"{name}={words}" for name, words in typed.items())
    config = SweepConfig(seeds=flags.seeds, num_samples=flags.num_samples)
    return Sweep(pictures, settings, common, config, about)


def differences(outcomes: Sequence[Outcome], settings: Sequence[Setting]) -> str:
    """A Markdown table: every setting against the first, of the same picture and seed."""
    values: dict[tuple[str, int, str], Mapping[str, float]] = {
        (one.picture, one.seed, one.setting.name): one.metrics for one in outcomes
    }
    first, *others = [setting.name for setting in settings]
    names = metrics_of(outcomes)
    title = f"difference from {first}, same picture and seed: mean (standard error)"
    lines = [f"| {title} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for other in others:
        cells = []
        for name in names:
            pairs = [
                values[(*key[:2], other)][name] - value[name]
                for key, value in values.items()
                if key[2] == first and name in value and name in values[(*key[:2], other)]
            ]
            error = statistics.stdev(pairs) / len(pairs) ** 0.5 if len(pairs) > 1 else 0.0
            cells.append(f"{statistics.fmean(pairs):+.3g} ({error:.2g})" if pairs else "")
        lines.append(f"| {other} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def calibrate(path: Path, max_size: int = 250) -> str:
    """What the metrics say of a picture spoilt in known ways: a Markdown table."""
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image, ImageFilter

    from ConSinGAN import images
    from ConSinGAN.evaluation import MetricsConfig
    from ConSinGAN.metrics import report
    from ConSinGAN.resize import resize

    picture = images.read_image(path)
    real = images.as_written(resize(picture, scale=min(1, max_size / max(picture.shape[-2:]))))
    whole = Image.fromarray(images.to_bytes(real)[0])
    grain = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))

    def jpeg(quality: int) -> torch.Tensor:
        file = io.BytesIO()
        whole.save(file, "jpeg", quality=quality)
        return from_pillow(Image.open(file))

    def from_pillow(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(image)).movedim(2, 0)[None] / 127.5 - 1

    def shuffled(side: int) -> torch.Tensor:
        height, width = (n // side * side for n in real.shape[-2:])
        tiles = F.unfold(real[..., :height, :width], side, stride=side)
        order = torch.randperm(tiles.shape[2], generator=torch.Generator().manual_seed(0))
        return F.fold(tiles[..., order], (height, width), side, stride=side)

    spoilt = {
        "the same": real,
        "moved by 7 pixels": real[..., 7:, 7:],
        "mirrored": real.flip(3),
        "JPEG quality 75": jpeg(75),
        "JPEG quality 20": jpeg(20),
        "noise, 5 levels": real + grain * 5 / 127.5,
        "noise, 20 levels": real + grain * 20 / 127.5,
        "blur, sigma 1": from_pillow(whole.filter(ImageFilter.GaussianBlur(1))),
        "blur, sigma 3": from_pillow(whole.filter(ImageFilter.GaussianBlur(3))),
        "half the contrast": real / 2,
        "32-pixel tiles shuffled": shuffled(32),
        "8-pixel tiles shuffled": shuffled(8),
    }
    names = ["sliced_wasserstein", "coherence", "completeness", "copying"]
    lines = [f"| {path.stem} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for name, fake in spoilt.items():
        values = report.measure(real, [images.as_written(fake)], MetricsConfig()).metrics
        cells = [f"{values[metric]['value']:.3g}" for metric in names]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def parse() -> argparse.Namespace:
    """The flags. Raises UsageError."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--setting", action="append", metavar="NAME=FLAGS")
    parser.add_argument("--parts", action="store_true", help="every part against the default")
    parser.add_argument("--common", help="flags for all runs", metavar="FLAGS")
    parser.add_argument("--seeds", type=int, default=2, metavar="N")
    parser.add_argument("--num_samples", type=int, default=50, metavar="N")
    parser.add_argument("--out", type=Path, default=ROOT / "TrainedModels/quality", metavar="DIR")
    parser.add_argument("--calibrate", action="store_true", help="spoil pictures, train nothing")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once", metavar="N")
    flags = parser.parse_args()
    if flags.common is None:
        flags.common = PARTS_COMMON if flags.parts else COMMON
    flags.pictures = flags.pictures or (PARTS_PICTURES if flags.parts else PICTURES)
    if any("=" not in text for text in flags.setting or ()):
        raise UsageError("`setting`: give it as NAME=FLAGS")
    if min(flags.seeds, flags.jobs, flags.num_samples) < 1:
        raise UsageError("`seeds`, `jobs` and `num_samples` must be at least 1")
    return flags


def main() -> None:
    """Train what is not trained yet, measure, write the tables and the sheets."""
    flags = parse()
    console.setup_logging()
    if flags.calibrate:
        for picture in flags.pictures:
            print(calibrate(picture))
        return
    planned = make_sweep(flags)
    threads = max(1, (os.cpu_count() or 1) // flags.jobs)
    fleet = FleetConfig(workers=flags.jobs, threads_per_run=threads)
    folder = flags.out.expanduser().absolute()
    outcomes = carry_out(planned, fleet, folder)
    text = differences(outcomes, planned.settings)
    write_atomic(folder / "differences.md", text.encode())
    print(f"{(folder / TABLE).read_text(encoding='utf-8')}\n{text}")


if __name__ == "__main__":
    sys.exit(run_script(main))
