"""How good are the models? Train pictures with several settings and seeds, and measure them.

    python benchmarks/quality.py [--pictures FILE ...] [--setting "NAME=FLAGS" ...] [--seeds 2]
                                 [--out DIR] [--jobs N] [--common FLAGS] [--num_samples 50]

Every model is trained by main_train.py in a process of its own, `--jobs` at the same time, and
measured as `evaluate_model.py --metrics` does. What is trained already in --out is not trained
again, and a run that was cut goes on, so the command can be stopped and repeated. Writes into
--out: results.yaml (every value), table.md (means and standard deviations over seeds) and, for
every picture, sheet_<picture>.png (the real picture, and a row of samples for every setting with
the metrics underneath).

Without --setting: the fast default against float32, 3 stages and lr_scale 0.5.

    python benchmarks/quality.py --calibrate [--pictures FILE ...]

trains nothing: it spoils the pictures in known ways and prints what the metrics say of that.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from PIL import Image, ImageFilter

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import main_train  # noqa: E402
from ConSinGAN import images, launch  # noqa: E402
from ConSinGAN.config import SCHEMA  # noqa: E402
from ConSinGAN.evaluation import SCHEMA as EVALUATION  # noqa: E402
from ConSinGAN.evaluation import EvalConfig, MetricsConfig  # noqa: E402
from ConSinGAN.hardware import select_device, select_precision  # noqa: E402
from ConSinGAN.metrics import report  # noqa: E402
from ConSinGAN.model import ImageModel  # noqa: E402
from ConSinGAN.resize import resize  # noqa: E402
from ConSinGAN.run import RunDirectory  # noqa: E402
from ConSinGAN.tasks.samples import Samples  # noqa: E402

COMMON = "--not_cuda --min_size 18 --max_size 64 --niter 600"
NUM_SHOWN = 6  # samples in a row of the sheet
PICTURES = [ROOT / "Images/Generation/summer_palace.jpg", ROOT / "Images/Generation/tissue.jpg"]
SETTINGS = {
    "bf16": "--precision bf16",
    "fp32": "--precision fp32",
    "3 stages": "--precision bf16 --train_stages 3",
    "lr_scale 0.5": "--precision bf16 --lr_scale 0.5",
}


def trained_run(folder: Path, flags: list[str]) -> tuple[Path | None, bool]:
    """The run directory in `folder`, if any, and whether it is finished.

    Raises SystemExit if it was trained with other flags.
    """
    for path in sorted(folder.glob("[!.]*/[!.]*/config.yaml")):
        run = RunDirectory.open(path.parent)
        config = run.load_config()
        wanted = SCHEMA.flat(launch.configure(main_train.parse(flags)))
        for name in ("input_name", "output_dir"):
            del wanted[name]
        if wanted["precision"] == "auto":  # the run says what that was
            del wanted["precision"]
        trained = SCHEMA.flat(config)
        other = [name for name, value in wanted.items() if trained[name] != value]
        if other:
            sys.exit(f"{run.path} was trained with other values of {', '.join(other)}: use --out")
        return run.path, run.is_finished(config)
    return None, False


def train(picture: Path, flags: str, seed: int, folder: Path, threads: int) -> Path:
    """Train one model, or go on with it; returns its run directory."""
    words = ["--input_name", str(picture), "--output_dir", str(folder), "--manualSeed", str(seed)]
    words += ["--preview_every", str(10**9), *shlex.split(flags)]
    run, finished = trained_run(folder, words)
    if finished:
        return run
    command = [sys.executable, str(ROOT / "main_train.py"), "--quiet"]
    command += ["--resume", str(run)] if run else words
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    print(f"trained: {folder}", flush=True)
    return trained_run(folder, words)[0]


def load(run: Path) -> ImageModel:
    """A model, in the precision that it was trained in."""
    device = select_device(EvalConfig())
    model = RunDirectory.open(run).load_model(device)
    model.set_precision(select_precision(model.config.precision, device))
    return model


def measure(run: Path, num_samples: int) -> dict[str, float]:
    """The metrics of one model by name, and its reconstruction's error in byte levels."""
    model = load(run)
    asked = {"task": "samples", "num_samples": num_samples, "model_dir": str(run), "metrics": True}
    measured = report.measure_model(Samples(), model, EVALUATION.build(typed=asked))
    error = (model.reconstruct() - model.real).square().mean().sqrt() * 127.5
    values = {"reconstruction": float(error)}
    return values | {name: entry["value"] for name, entry in measured.metrics.items()}


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    deviation = f" ± {statistics.stdev(values):.3g}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3g}{deviation}"


def make_table(results: dict[tuple, dict[str, float]], settings: list[str]) -> str:
    """Two Markdown tables: every picture and setting, and every setting against the first."""
    names = list(next(iter(results.values())))
    head = [f"| {{}} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines = [head[0].format("picture, setting"), head[1]]
    for picture in dict.fromkeys(key[1] for key in results):
        for setting in settings:
            cells = [
                spread([v[name] for k, v in results.items() if k[1:] == (picture, setting)])
                for name in names
            ]
            lines.append(f"| {picture}, {setting} | {' | '.join(cells)} |")
    first = f"difference from {settings[0]}, same picture and seed: mean (standard error)"
    lines += ["", head[0].format(first), head[1]]
    for setting in settings[1:]:
        cells = []
        for name in names:
            pairs = [
                results[(*key[:2], setting)][name] - value[name]
                for key, value in results.items()
                if key[2] == settings[0]
            ]
            error = statistics.stdev(pairs) / len(pairs) ** 0.5 if len(pairs) > 1 else 0.0
            cells.append(f"{statistics.fmean(pairs):+.3g} ({error:.2g})")
        lines.append(f"| {setting} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw_sheet(picture: str, models: dict[str, Path], results: dict, path: Path) -> None:
    """The real picture, and for every setting a row of samples with its metrics underneath."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, rows = plt.subplots(
        len(models), NUM_SHOWN + 1, squeeze=False, figsize=(2 * NUM_SHOWN + 2, 1.9 * len(models))
    )
    for row, (setting, run) in zip(rows, models.items(), strict=True):
        model = load(run)
        for axis, image in zip(row, [model.real, *model.sample(NUM_SHOWN)], strict=True):
            axis.imshow(images.to_bytes(image)[0])
            axis.axis("off")
        values = "  ".join(f"{name} {value:.3g}" for name, value in results[setting].items())
        text = f"{setting}:  {values}"
        label = row[0].text(0, -0.05, text, transform=row[0].transAxes, va="top", fontsize=8)
        label.set_in_layout(False)
    figure.suptitle(f"{picture}: the real picture, then samples (seed 0)", fontsize=10)
    figure.tight_layout(pad=2, h_pad=3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def calibrate(path: Path, max_size: int = 250) -> str:
    """What the metrics say of a picture spoilt in known ways: a Markdown table."""
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
    """The flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, nargs="+", default=PICTURES, metavar="FILE")
    parser.add_argument("--setting", action="append", metavar="NAME=FLAGS")
    parser.add_argument("--common", default=COMMON, help="flags for all runs", metavar="FLAGS")
    parser.add_argument("--seeds", type=int, default=2, metavar="N")
    parser.add_argument("--num_samples", type=int, default=50, metavar="N")
    parser.add_argument("--out", type=Path, default=ROOT / "TrainedModels/quality", metavar="DIR")
    parser.add_argument("--calibrate", action="store_true", help="spoil pictures, train nothing")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once", metavar="N")
    flags = parser.parse_args()
    if any("=" not in text for text in flags.setting or ()):
        parser.error("--setting: give it as NAME=FLAGS")
    if len({picture.stem for picture in flags.pictures}) < len(flags.pictures):
        parser.error("--pictures: two have the same name")
    if min(flags.seeds, flags.jobs, flags.num_samples) < 1:
        parser.error("--seeds, --jobs and --num_samples: must be at least 1")
    return flags


def main() -> None:
    """Train what is not trained yet, measure, write the table and the sheets."""
    flags = parse()
    if flags.calibrate:
        for picture in flags.pictures:
            print(calibrate(picture))
        return
    settings = SETTINGS
    if flags.setting:
        settings = dict(text.split("=", 1) for text in flags.setting)
    threads = max(1, (os.cpu_count() or 1) // flags.jobs)
    results, models = {}, {}
    with ThreadPoolExecutor(flags.jobs) as pool:
        trained = {
            (seed, picture, name): pool.submit(
                train, picture, f"{flags.common} {settings[name]}", seed,
                flags.out / picture.stem / name.replace(" ", "_") / str(seed), threads,
            )
            for seed, picture, name in product(range(flags.seeds), flags.pictures, settings)
        }  # fmt: skip
        for seed in range(flags.seeds):  # after each, what is there is comparable
            for picture, name in product(flags.pictures, settings):
                key = (seed, picture.stem, name)
                models[key] = trained[seed, picture, name].result()
                results[key] = measure(models[key], flags.num_samples)
            write(flags, settings, results)
    for picture in flags.pictures:
        shown = {name: models[0, picture.stem, name] for name in settings}
        values = {name: results[0, picture.stem, name] for name in settings}
        draw_sheet(picture.stem, shown, values, flags.out / f"sheet_{picture.stem}.png")


def write(flags: argparse.Namespace, settings: dict[str, str], results: dict) -> None:
    """results.yaml and table.md."""
    listed = [
        {"seed": seed, "picture": picture, "setting": name, **values}
        for (seed, picture, name), values in results.items()
    ]
    about = {"common": flags.common, "settings": settings, "num_samples": flags.num_samples}
    (flags.out / "results.yaml").write_text(yaml.safe_dump(about | {"results": listed}))
    table = make_table(results, list(settings))
    (flags.out / "table.md").write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
