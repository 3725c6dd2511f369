"""Measuring the model of a trial: when it is finished, and after every stage on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ConSinGAN import ask, hardware, images, saved
from ConSinGAN.errors import ConSinGANError
from ConSinGAN.evaluation import SCHEMA, EvalConfig, MetricsConfig
from ConSinGAN.fleet.board import Reporter
from ConSinGAN.fleet.engine import Interrupted
from ConSinGAN.fleet.record import NUM_SHOWN, SAMPLES, Record
from ConSinGAN.metrics import report
from ConSinGAN.model import ImageModel
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.tasks.samples import Samples
from ConSinGAN.watch.base import Moment, Watcher


def measure(run: Path, num_samples: int, reporter: Reporter) -> None:
    """Measure a finished model as `evaluate_model.py --metrics` does, and write the record.

    The precision is that of the training. Raises Interrupted if the fleet stops.
    """
    trained = saved.read_config(run)
    asked: dict[str, Any] = {"task": "samples", "num_samples": num_samples, "metrics": True}
    asked |= {"model_dir": str(run), "precision": trained.precision}
    config = SCHEMA.build(typed=asked | {"not_cuda": trained.not_cuda, "threads": trained.threads})
    device = hardware.select_device(config)
    model = ask.open_model(run, device, config.precision, config.threads)
    try:
        measured = report.measure_model(_Stoppable(reporter), model, config).metrics
        keep_samples(model, run / SAMPLES)
        record = Record.read(run, num_samples)
        record.metrics = {"reconstruction": error_of_reconstruction(model)}
        record.metrics |= {name: entry["value"] for name, entry in measured.items()}
        record.write(run)
    finally:
        hardware.return_memory()


class _Stoppable(Samples):
    """Samples that are drawn until the fleet stops."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def measured(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        total, pictures = super().measured(model, config)
        return total, self._until_stopped(pictures)

    def _until_stopped(self, pictures: Iterator[Tensor]) -> Iterator[Tensor]:
        for picture in pictures:
            if self.reporter.should_stop:
                raise Interrupted(self.reporter.should_stop)
            yield picture


def error_of_reconstruction(model: ImageModel) -> float:
    """Root mean square error of the reconstruction, in byte levels."""
    error = (model.reconstruct() - model.real).square().mean().sqrt() * 127.5
    return float(f"{float(error):.6g}")


def keep_samples(model: ImageModel, path: Path) -> None:
    """Write the first samples side by side into a file."""
    tiles = [images.to_bytes(picture)[0] for picture in model.sample(NUM_SHOWN)]
    images.save_image(np.concatenate(tiles, axis=1), path)


class StageWatcher(Watcher):
    """Measures every stage but the last when it is trained, and tells it when that is saved.

    What was told by a process that died is told again: the scheduler knows what it decided.
    """

    def __init__(
        self, run: Path, num_samples: int, metric: str, tell: Callable[[dict[str, Any]], None]
    ) -> None:
        """tell: does not return if the trial shall end there."""
        self.run, self.num_samples, self.metric, self.tell = run, num_samples, metric, tell
        self._told: set[int] = set()

    def begin_stage(self, moment: Moment) -> None:
        sizes = " ".join(f"{width}x{height}" for height, width in sizes_of(moment.model.reals))
        for stage, value in sorted(Record.read(self.run, self.num_samples).stages.items()):
            if stage <= moment.stage and stage not in self._told:
                self._told.add(stage)
                self.tell({"stage": stage, "value": value, "sizes": sizes})
        self._measure(moment)

    def iteration(self, moment: Moment, terms: Mapping[str, Tensor]) -> None:
        self._measure(moment)

    def _measure(self, moment: Moment) -> None:
        """Measure a stage that has just been trained."""
        number, config = moment.stage + 1, moment.config
        if moment.done < moment.niter or number == config.train_stages:
            return
        record = Record.read(self.run, self.num_samples)
        if number not in record.stages and (value := self._value(moment.model)) is not None:
            record.stages[number] = value
            record.write(self.run)

    def _value(self, model: ImageModel) -> float | None:
        """The metric of a model as far as it is grown; None if its pictures are too small."""
        if self.metric == "reconstruction":
            return error_of_reconstruction(model)
        config = MetricsConfig(not_cuda=model.config.not_cuda)
        samples = map(images.as_written, model.sample(self.num_samples, config.seed))
        try:
            measured = report.measure(images.as_written(model.real), samples, config)
        except ConSinGANError:
            return None
        entry = measured.metrics.get(self.metric)
        return None if entry is None else float(entry["value"])
