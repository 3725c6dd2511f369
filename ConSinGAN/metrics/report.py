"""Measuring a set of pictures against the real one: every metric, a YAML file and a small table."""

from __future__ import annotations

import contextlib
import logging
import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import torch
import yaml
from torch import Tensor, nn

from ConSinGAN import console, hardware, images
from ConSinGAN.atomic import write_atomic
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.evaluation import EvalConfig, MetricsConfig
from ConSinGAN.metrics import networks, patches
from ConSinGAN.pictures import decode
from ConSinGAN.pictures.finding import find_pictures
from ConSinGAN.tasks.base import Task

if TYPE_CHECKING:
    from ConSinGAN.model import ImageModel
    from ConSinGAN.results import Results

log = logging.getLogger(__name__)

MAX_LPIPS = 50  # pictures whose pairs are compared

# What the table says of every metric.
MEANING = {
    "sliced_wasserstein": "distance of the patches' distributions; equal pictures 0",
    "coherence": "from a patch to the nearest real one, byte levels; equal pictures 0",
    "completeness": "from a real patch to the nearest one, byte levels; equal pictures 0",
    "copying": "share of patches that lie as in the real picture; copies 1",
    "pixel_diversity": "spread of a pixel, divided by the real picture's; equal pictures 0",
    "sifid_64": "SIFID before the first max-pool; equal pictures 0",
    "sifid_192": "SIFID before the second max-pool; equal pictures 0",
    "lpips_diversity": "mean perceptual distance of two pictures; equal pictures 0",
}


@dataclass
class Report:
    """What was measured: value, and standard deviation over pictures where each has its own."""

    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what could not be measured, and why
    about: dict[str, Any] = field(default_factory=dict)

    def to_yaml(self) -> str:
        """The text of metrics.yaml."""
        content = {"metrics": self.metrics, "notes": self.notes, **self.about}
        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)

    def to_table(self) -> str:
        """A line for every metric, and one for every note."""
        lines = [f"{'metric':<19} {'value':>9} {'+-':>9}  meaning"]
        for name, entry in self.metrics.items():
            spread = f"{entry['std']:9.4g}" if "std" in entry else " " * 9
            lines.append(f"{name:<19} {entry['value']:9.4g} {spread}  {MEANING[name]}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def add_metric(self, name: str, values: Sequence[float]) -> None:
        """Take in a metric's values, one for each picture or one for all."""
        entry: dict[str, Any] = {"value": _rounded(statistics.fmean(values))}
        if len(values) > 1:
            entry["std"] = _rounded(statistics.stdev(values))
            entry["values"] = [_rounded(value) for value in values]
        self.metrics[name] = entry

    def add_note(self, text: object) -> None:
        """Take in a note, once."""
        if str(text) not in self.notes:
            self.notes.append(str(text))


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def measure(
    real: Tensor, fakes: Iterable[Tensor], config: MetricsConfig, total: int | None = None
) -> Report:
    """Every metric of some pictures (1, 3, h, w) in [-1, 1] against a real one (1, 3, H, W).

    The pictures are taken one at a time, so memory does not grow with their number beyond the 50
    that are kept for LPIPS. total: their number, for the progress bar. What cannot be measured,
    because weights are missing, say, becomes a note. Raises UsageError if a picture is smaller than
    a patch, a weight file is bad or there are no pictures.
    """
    with _full_float32():
        meter = _Meter(real, config)
        for fake in console.progress(fakes, "measuring", total, "picture"):
            meter.add(fake)
        return meter.finish()


@contextlib.contextmanager
def _full_float32() -> Iterator[None]:
    """No TF32 on CUDA, so that numbers are those of other devices."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


class _Meter:
    """Takes pictures one after the other and makes a report of them all."""

    def __init__(self, real: Tensor, config: MetricsConfig) -> None:
        self.config, self.device = config, hardware.select_device(config)
        self.real, self.report = real.to(self.device), Report()
        self.inception = self._load(networks.Inception.load, config.inception_weights)
        self.real_statistics: dict[int, Any] = {}
        if self.inception is not None:
            self._try(self._look_at_real)
        self.perceptual = self._load(networks.load_lpips)
        self.each: dict[str, list[float]] = {}  # values by metric, one for every picture
        self.levels: list[Tensor] = []  # sliced Wasserstein distances of every picture
        self.diversity = patches.PixelDiversity(self.real)
        self.for_lpips: list[Tensor] = []
        self.sizes: dict[str, int] = {}  # number of pictures by size

    def _load(self, load: Callable[..., nn.Module], *arguments: Any) -> nn.Module | None:
        """A network on the device, or None and a note if its weights are missing."""
        try:
            return load(*arguments).to(self.device)
        except networks.WeightsMissingError as error:
            self.report.add_note(error.for_scripts())
            return None

    def _network(self, name: str) -> nn.Module:
        """A network that is there."""
        network = getattr(self, name)
        assert network is not None
        return network

    def _try(self, compute: Callable[..., None], *arguments: Any) -> None:
        """Compute something for which pictures may be too few or too small: then a note."""
        try:
            compute(*arguments)
        except ValueError as error:
            self.report.add_note(error)

    def _look_at_real(self) -> None:
        self.real_statistics = networks.statistics_by_dim(self.real, self._network("inception"))

    def add(self, fake: Tensor) -> None:
        """Measure one picture."""
        fake, size = fake.to(self.device), _size_text(fake)
        self.sizes[size] = self.sizes.get(size, 0) + 1
        try:
            self.levels.append(patches.sliced_wasserstein(self.real, fake, self.config.seed))
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._try(self._add_nearest, fake)
        if self.inception is not None:
            self._try(self._add_sifid, fake)
        if len(self.sizes) == 1:
            self.diversity.add(fake)
        if self.perceptual is not None and len(self.for_lpips) < MAX_LPIPS:
            self.for_lpips.append(fake.cpu())

    def _add_nearest(self, fake: Tensor) -> None:
        nearest = patches.nearest_patches(self.real, fake)
        for name in ("coherence", "completeness", "copying"):
            self._record(name, getattr(nearest, name))

    def _add_sifid(self, fake: Tensor) -> None:
        found = networks.statistics_by_dim(fake, self._network("inception"))
        for dim, value in networks.distances_by_dim(self.real_statistics, found).items():
            self._record(f"sifid_{dim}", value)

    def _record(self, name: str, value: float) -> None:
        self.each.setdefault(name, []).append(value)

    def finish(self) -> Report:
        """The report of all pictures."""
        if not self.levels:
            raise UsageError("there are no pictures to measure")
        report, real_size = self.report, _size_text(self.real)
        common = min(len(row) for row in self.levels)
        levels = torch.stack([row[:common] for row in self.levels])
        report.add_metric("sliced_wasserstein", levels.mean(dim=1).tolist())
        means = [_rounded(value) for value in levels.mean(dim=0).tolist()]
        report.metrics["sliced_wasserstein"]["levels"] = means
        for name, values in self.each.items():
            report.add_metric(name, values)
            if len(values) < len(self.levels):
                report.metrics[name]["pictures"] = len(values)
        if self.inception is not None:
            for dim, (smallest, _) in networks.STEM.items():
                if len(self.each.get(f"sifid_{dim}", ())) < len(self.levels):
                    report.add_note(f"sifid_{dim} needs pictures of at least {smallest} pixels")
        if len(self.sizes) > 1:
            report.add_note("the pictures differ in size: no pixel diversity")
        else:
            self._try(lambda: report.add_metric("pixel_diversity", [self.diversity.value()]))
        if self.perceptual is not None:
            self._try(self._enter_lpips)
        if set(self.sizes) != {real_size}:
            report.add_note(
                f"the real picture has {real_size} pixels, the others {', '.join(self.sizes)}: "
                "they are compared as they are, not brought to one size"
            )
        report.about = {
            "num_samples": len(self.levels),
            "seed": self.config.seed,
            "device": self.device.type,
            "real_size": real_size,
            "sizes": self.sizes,
            "settings": self._settings(),
        }
        return report

    def _enter_lpips(self) -> None:
        pictures = [picture.to(self.device) for picture in self.for_lpips]
        value = networks.lpips_diversity(pictures, self._network("perceptual"))
        self.report.add_metric("lpips_diversity", [value])

    def _settings(self) -> dict[str, Any]:
        """The constants behind the values."""
        settings = {
            "sliced_wasserstein": {
                "patch": patches.PATCH, "num_directions": patches.NUM_DIRECTIONS,
                "normalisation": "per channel, by both pictures' mean and standard deviation",
                "levels": "finest first, of the Laplacian pyramid; the value is their mean",
            },
            "nearest_patches": {
                "patch": patches.PATCH, "longer_side_of_the_real_picture": patches.SEARCH_SIZE,
                "shorter_side_at_least": patches.COARSEST, "pixels_at_most": patches.MAX_SEARCHED,
                "unit": "root mean square, byte levels",
            },
            "pixel_diversity": {"intensity": "ITU-R 601 luminance"},
        }  # fmt: skip
        if self.inception is not None:
            weights = self.config.inception_weights or "IMAGENET1K_V1"
            settings["sifid"] = {"network": "torchvision inception_v3", "weights": weights}
        if self.for_lpips:
            number = len(self.for_lpips)
            settings["lpips_diversity"] = {"network": "alex, version 0.1", "pictures": number}
        return settings


def _size_text(picture: Tensor) -> str:
    return f"{picture.shape[-1]}x{picture.shape[-2]}"


# A trained model, and pictures in files -------------------------------------------------------


def measure_model(
    task: Task, model: ImageModel, config: EvalConfig, seen: Callable[[Tensor], None] | None = None
) -> Report:
    """Measure what a task draws, as PNG files would be.

    seen: is shown every picture, (1, 3, h, w) in [-1, 1].
    """
    total, pictures = task.measured(model, config)

    def written() -> Iterator[Tensor]:
        for picture in pictures:
            yield (shown := _checked(images.as_written(picture), "`size`"))
            if seen is not None:
                seen(shown)

    report = measure(images.as_written(model.real), written(), config, total)
    report.about["settings"]["precision"] = hardware.PRECISION_NAMES[model.generator.dtype]
    report.about |= {"model": str(config.model_dir)}
    return report


def print_metrics(
    task: Task, model: ImageModel, config: EvalConfig, results: Results, stream: TextIO | None
) -> bool:
    """Measure a model; print the table to `stream` and write metrics.yaml into `results`.

    Where no file can be written, which is found out and said before the work, the table is printed
    all the same, and the result is False.
    """
    folder = results.folder
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file where a folder should be; rename it")
    unwritable = results.why_unwritable()
    if unwritable is not None:
        log.warning("%s: cannot be written: %s; the metrics are printed and not kept (another "
                    "folder: --output_dir)", folder, unwritable)  # fmt: skip
    report = measure_model(task, model, config)
    console.say(report.to_table(), stream)
    if unwritable is None:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "metrics.yaml", report.to_yaml().encode())
    return unwritable is None


def measure_files(real: str, fakes: Sequence[str], config: MetricsConfig, output: str) -> Report:
    """Measure picture files, or all those in folders, against a real one; write `output`.

    Raises UsageError if a file is no picture, a folder has none or there is no place for `output`.
    """
    reals = find_pictures(real, "REAL")
    if len(reals) > 1:
        raise UsageError(f"REAL {real}: has {len(reals)} pictures in it; name the real one")
    files = [path for fake in fakes for path in find_pictures(fake, "FAKE")]
    check_output(output, [*reals, *files])

    frames = choose_frames([*reals, *files], config.frame)

    def read(path: Path, flag: str) -> Tensor:
        picture = images.read_image(
            path, flag=flag, max_megapixels=config.max_megapixels, frame=frames.get(path)
        )
        return _checked(picture, f"{flag} {path}")

    for path in files:  # a bad one is told before hours of work
        read(path, "FAKE")
    pictures = (read(path, "FAKE") for path in files)
    report = measure(read(reals[0], "REAL"), pictures, config, len(files))
    report.about |= {"real": str(reals[0]), "samples": [str(fake) for fake in fakes]}
    try:
        write_atomic(Path(output), report.to_yaml().encode())
    except OSError as error:
        raise ConSinGANError(f"`output` {output}: {error.strerror}") from error
    return report


def choose_frames(files: Sequence[Path], frame: int | None) -> dict[Path, int]:
    """The frame to take of every file with several; UsageError if one is wanted and none has."""
    if frame is None:
        return {}
    chosen = {path: frame for path in files if decode.count_frames(path) > 1}
    if not chosen:
        raise UsageError(f"`frame` {frame}: none of the files has several frames or pages")
    return chosen


def _checked(picture: Tensor, where: str) -> Tensor:
    """The picture. Raises UsageError naming where it is from if it is smaller than a patch."""
    try:
        patches.check_pictures(picture)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    return picture


def check_output(output: str, inputs: Sequence[Path]) -> None:
    """Raise UsageError if this file cannot be written: before the work, not after."""
    try:
        output.encode()
        path = Path(output)
        problem = (
            "is no name for a file" if not path.name
            else "is a folder" if path.is_dir()
            else "is no ordinary file" if path.exists() and not path.is_file()
            else "is one of the pictures" if path.exists() and any(map(path.samefile, inputs))
            else f"there is no folder {path.parent}" if not path.parent.is_dir()
            else "the folder cannot be written" if not os.access(path.parent, os.W_OK)
            else ""
        )  # fmt: skip
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        raise UsageError(f"`output` {output!a}: {problem}")
