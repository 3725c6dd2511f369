"""Measuring a set of pictures against the real one: every metric, a YAML file and a small table."""

from __future__ import annotations

import logging
import os
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from torch import Tensor
from tqdm import tqdm

from ConSinGAN import hardware, images
from ConSinGAN.config import EvalConfig, MetricsConfig
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.files import write_atomic
from ConSinGAN.metrics import networks, patches

if TYPE_CHECKING:
    from ConSinGAN.sampling import ImageModel

log = logging.getLogger(__name__)

MAX_LPIPS = 50  # pictures whose pairs are compared

# What the table says of every metric.
MEANING = {
    "sliced_wasserstein": "distance of the patches' distributions; equal pictures 0",
    "coherence": "from a patch to the nearest real one, byte levels; equal pictures 0",
    "completeness": "from a real patch to the nearest one, byte levels; equal pictures 0",
    "copying": "share of patches that lie as in the real picture; copies 1",
    "pixel_diversity": "spread between pictures, in the real one's own; equal pictures 0",
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
        return yaml.safe_dump(content, sort_keys=False)

    def to_table(self) -> str:
        """A line for every metric, and one for every note."""
        lines = [f"{'metric':<19} {'value':>9} {'+-':>9}  meaning"]
        for name, entry in self.metrics.items():
            spread = f"{entry['std']:9.4g}" if "std" in entry else " " * 9
            lines.append(f"{name:<19} {entry['value']:9.4g} {spread}  {MEANING[name]}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def enter(self, name: str, values: Sequence[float], **more: Any) -> None:
        """Take in a metric's values, one for each picture or one for all."""
        entry = {"value": _rounded(statistics.fmean(values))}
        if len(values) > 1:
            entry["std"] = _rounded(statistics.stdev(values))
        self.metrics[name] = entry | more

    def note(self, text: object) -> None:
        """Take in a note, once."""
        if str(text) not in self.notes:
            self.notes.append(str(text))


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def measure(
    real: Tensor, fakes: Iterable[Tensor], config: MetricsConfig, total: int | None = None
) -> Report:
    """Every metric of some pictures (1, 3, h, w) in [-1, 1] against a real one (1, 3, H, W).

    The pictures are taken one at a time, so memory does not grow with their number. total: their
    number, for the progress bar. What cannot be measured, because weights are missing, say,
    becomes a note. Raises UsageError if a picture is smaller than a patch or a weight file is bad.
    """
    device = hardware.select_device(config)
    report, real = Report(), real.to(device)
    inception = _load(report, networks.Inception.load, config.inception_weights, device=device)
    perceptual = _load(report, networks.load_lpips, device=device)
    each: dict[str, list[float]] = {}
    levels: list[Tensor] = []
    diversity, kept, sizes = patches.PixelDiversity(real), [], {}

    def enter_sifid(fake: Tensor) -> None:
        if inception is not None:
            for dim, value in networks.sifid(real, fake, inception).items():
                each.setdefault(f"sifid_{dim}", []).append(value)

    bar = tqdm(fakes, "measuring", total, leave=False, disable=None, unit="picture")
    for fake in bar:
        fake = fake.to(device)
        sizes[_size_text(fake)] = sizes.get(_size_text(fake), 0) + 1
        try:
            levels.append(patches.sliced_wasserstein(real, fake, config.seed))
            nearest = patches.nearest_patches(real, fake)
        except ValueError as error:
            raise UsageError(f"{error}; ask for larger ones with --size or --scale_h") from None
        each.setdefault("sliced_wasserstein", []).append(float(levels[-1].mean()))
        for name in ("coherence", "completeness", "copying"):
            each.setdefault(name, []).append(getattr(nearest, name))
        _try(report, enter_sifid, fake)
        if len(sizes) == 1:
            diversity.add(fake)
        if perceptual is not None and len(kept) < MAX_LPIPS:
            kept.append(fake)

    if not levels:
        raise UsageError("there are no pictures to measure")
    common = min(len(row) for row in levels)
    rows = torch.stack([row[:common] for row in levels])
    for name, values in each.items():
        more = {}
        if name == "sliced_wasserstein":
            more = {"levels": [_rounded(float(v)) for v in rows.mean(dim=0)]}
        report.enter(name, values, **more)
    if len(sizes) > 1:
        report.note("the pictures differ in size: no pixel diversity")
    else:
        _try(report, lambda: report.enter("pixel_diversity", [diversity.value()]))
    if perceptual is not None:
        _try(report, lambda: report.enter(
            "lpips_diversity", [networks.lpips_diversity(kept, perceptual)]
        ))  # fmt: skip
    if set(sizes) != {_size_text(real)}:
        report.note(
            f"the real picture has {_size_text(real)} pixels, the others {', '.join(sizes)}: they "
            "are compared as they are, nothing is resized"
        )
    report.about = {
        "num_samples": len(levels),
        "seed": config.seed,
        "real_size": _size_text(real),
        "sizes": sizes,
        "settings": _settings(config, inception is not None, len(kept)),
    }
    return report


def _load(report: Report, load: Any, *arguments: Any, device: torch.device) -> Any:
    """A network on the device, or None and a note if its weights are missing."""
    try:
        return load(*arguments).to(device)
    except networks.WeightsMissingError as error:
        report.note(error)
        return None


def _try(report: Report, compute: Any, *arguments: Any) -> None:
    """Compute something for which the pictures may be too few or too small: then a note."""
    try:
        compute(*arguments)
    except ValueError as error:
        report.note(error)


def _settings(config: MetricsConfig, has_inception: bool, num_lpips: int) -> dict[str, Any]:
    """The constants behind the values."""
    settings = {
        "sliced_wasserstein": {
            "patch": patches.PATCH, "num_directions": patches.NUM_DIRECTIONS,
            "normalisation": "per channel, by both pictures' mean and standard deviation",
            "levels": "finest first, of the Laplacian pyramid; the value is their mean",
        },
        "nearest_patches": {
            "patch": patches.PATCH, "longer_side_of_the_real_picture": patches.SEARCH_SIZE,
            "unit": "root mean square, byte levels",
        },
        "pixel_diversity": {"intensity": "ITU-R 601 luminance"},
    }  # fmt: skip
    if has_inception:
        weights = config.inception_weights or "IMAGENET1K_V1"
        settings["sifid"] = {"network": "torchvision inception_v3", "weights": weights}
    if num_lpips:
        settings["lpips_diversity"] = {"network": "alex, version 0.1", "pictures": num_lpips}
    return settings


def _size_text(picture: Tensor) -> str:
    return f"{picture.shape[-1]}x{picture.shape[-2]}"


# A trained model, and pictures in files -------------------------------------------------------


def measure_model(model: ImageModel, config: EvalConfig, folder: Path) -> Report:
    """Measure what the model draws, as its files would be, and write <folder>/metrics.yaml."""
    total, pictures = model.mode.pictures(model, config)
    written = (images.as_written(picture) for picture in pictures)
    report = measure(images.as_written(model.real), written, config, total)
    report.about["settings"]["precision"] = hardware.PRECISION_NAMES[model.generator.dtype]
    report.about |= {"model": str(config.model_dir)}
    folder.mkdir(exist_ok=True)
    write_atomic(folder / "metrics.yaml", report.to_yaml().encode())
    return report


def measure_files(
    real: str, fakes: Sequence[str], config: MetricsConfig, output: str
) -> Report:  # fmt: skip
    """Measure picture files, or all those in folders, against a real one; write `output`.

    Raises UsageError if a file is no picture, a folder has none or there is no place for `output`.
    """
    check_output(output)
    reals = find_pictures(real, "REAL")
    if len(reals) > 1:
        raise UsageError(f"REAL {real}: has {len(reals)} pictures in it; name the real one")
    files = [path for fake in fakes for path in find_pictures(fake, "FAKE")]

    def read(path: Path, flag: str) -> Tensor:
        picture = images.read_image(path, flag=flag, max_megapixels=config.max_megapixels)
        try:
            patches.check_pictures(picture)
        except ValueError as error:
            raise UsageError(f"{flag} {path}: {error}") from None
        return picture

    pictures = (read(path, "FAKE") for path in files)
    report = measure(read(reals[0], "REAL"), pictures, config, len(files))
    report.about |= {"real": str(reals[0]), "samples": [str(fake) for fake in fakes]}
    try:
        write_atomic(Path(output), report.to_yaml().encode())
    except OSError as error:
        raise ConSinGANError(f"--output {output}: {error.strerror}") from error
    return report


def check_output(output: str) -> None:
    """Raise UsageError if a file of this name cannot be written: before the work, not after."""
    try:
        path = Path(output)
        problem = (
            "is no name for a file" if not path.name
            else "is a folder" if path.is_dir()
            else f"there is no folder {path.parent}" if not path.parent.is_dir()
            else "the folder cannot be written" if not os.access(path.parent, os.W_OK)
            else ""
        )  # fmt: skip
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        raise UsageError(f"--output {output!a}: {problem}")


def find_pictures(path: str, flag: str) -> list[Path]:
    """A file itself; of a folder the pictures in it, by name, numbers in their own order."""
    if not path:
        raise UsageError(f"{flag}: the name is empty")
    try:
        if not Path(path).is_dir():
            return [Path(path)]
        found = [file for file in Path(path).iterdir() if _is_picture(file)]
    except (OSError, ValueError) as error:  # too long, not allowed, not a name
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{flag} {path!a}: {reason}") from error
    if not found:
        raise UsageError(f"{flag} {path}: there is no picture in this folder")
    return sorted(found, key=_natural)


def _is_picture(file: Path) -> bool:
    known = file.suffix.lstrip(".").lower() in images.EXTENSIONS
    return known and not file.name.startswith(".") and file.is_file()


def _natural(path: Path) -> list[Any]:
    """A sorting key by which gen_sample_2 comes before gen_sample_10."""
    parts = re.split("([0-9]+)", path.name)  # every second one is a number
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]
