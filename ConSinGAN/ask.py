"""The front door of using a model: which task, on which model, written where.

Torch is loaded when all flags are known to be good.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN import modes, saved
from ConSinGAN.config import DeviceConfig, TrainConfig, check_device
from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import SCHEMA, EvalConfig
from ConSinGAN.options import add_verbosity
from ConSinGAN.registry import TASKS
from ConSinGAN.tasks.base import Drawing, Task

if TYPE_CHECKING:
    import torch

    from ConSinGAN.model import ImageModel


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """All flags of an evaluation, those of every task among them."""
    special = {name: TASKS.load(name).defaults for name in TASKS.names()}
    parser = SCHEMA.make_parser(description or "", special)
    add_verbosity(parser)
    return parser


def configure(flags: Mapping[str, Any]) -> tuple[EvalConfig, Task]:
    """The configuration that typed flags stand for, and the task.

    Without --task it is what the model was trained for. Raises UsageError with one line that names
    the flag; also if the task does not suit the model.
    """
    typed = SCHEMA.check(flags)
    if typed.get("model_dir") is None:
        raise UsageError("`model_dir` is needed: the run directory of a trained model")
    if "task" in typed:
        SCHEMA.check_owners(typed, {"task": typed["task"]})
    run = saved.read_config(saved.locate(typed["model_dir"]))
    config, task = resolve(typed, modes.get(run.train_mode).default_task)
    refuse_unsuited(task, run)
    task.check_flags(config)
    return config, task


def resolve(flags: Mapping[str, Any], default_task: str) -> tuple[EvalConfig, Task]:
    """The configuration and the task, whatever the model. Raises UsageError naming the flag."""
    name = flags.get("task") or default_task
    config = SCHEMA.build({"task": name}, TASKS.load(name).defaults, typed=flags)
    check_device(config)
    if config.inception_weights is not None and not config.metrics:
        raise UsageError("`inception_weights` is for the metrics: add `metrics` or leave it away")
    return config, TASKS.load(name)()


def refuse_unsuited(task: Task, run: TrainConfig) -> None:
    """Raise UsageError if the model of such a run cannot do the task."""
    if reason := task.unsuited(modes.get(run.train_mode), run):
        suited = ", ".join(suited_tasks(run))
        raise UsageError(f"`task` {task.name}: {reason}; what this model can do: {suited}")


def suited_tasks(run: TrainConfig) -> list[str]:
    """The tasks that a model of such a run can do; its mode's default one comes first."""
    mode = modes.get(run.train_mode)
    names = [name for name in TASKS.names() if TASKS.load(name)().unsuited(mode, run) is None]
    return sorted(names, key=lambda name: name != mode.default_task)


def open_model(
    path: str | Path,
    device: torch.device | None = None,
    precision: str = "auto",
    threads: int | None = None,
) -> ImageModel:
    """A trained model, ready to draw, in the precision that suits the device.

    device: the best there is, if None. Raises UsageError if `path` is not a finished run.
    """
    from ConSinGAN import hardware
    from ConSinGAN.run import RunDirectory

    hardware.set_threads(threads)
    hardware.tune()
    device = hardware.select_device(DeviceConfig()) if device is None else device
    model = RunDirectory.open(path).load_model(device)
    model.set_precision(hardware.select_precision(precision, device))
    return model


def draw(model: ImageModel, name: str, options: Mapping[str, Any]) -> Iterator[Drawing]:
    """What a task draws of an open model, one drawing after the other; nothing is written.

    options: the task's, by name, and `seed`. Raises UsageError, at once, if the task does not suit
    the model or an option is wrong.
    """
    task = TASKS.load(TASKS.find(name).name)()
    refuse_unsuited(task, model.config)
    config = SCHEMA.build(task.defaults, typed={**options, "task": name})
    task.check_flags(config)
    task.check(model, config)
    return task.run(model, config)


def prepare(flags: Mapping[str, Any]) -> tuple[Task, ImageModel, EvalConfig]:
    """The task, the open model and the configuration of an evaluation, checked. Raises UsageError.

    When this returns, nothing has been drawn yet.
    """
    config, task = configure(flags)
    from ConSinGAN import hardware

    model = open_model(
        str(config.model_dir), hardware.select_device(config), config.precision, config.threads
    )
    task.check(model, config)
    return task, model, config


def evaluate(flags: Mapping[str, Any]) -> str:
    """Write what the task draws, or its metrics; return where. Raises UsageError."""
    task, model, config = prepare(flags)
    from ConSinGAN.results import Results
    from ConSinGAN.tasks.writing import write_results

    if config.output_dir is None:
        folder = saved.inside(saved.locate(str(config.model_dir)), "Evaluation")
        results = Results(folder, "`model_dir`")
    else:
        results = Results(Path(config.output_dir))
    if config.metrics:
        from ConSinGAN.metrics.report import print_metrics

        if not print_metrics(task, model, config, results, sys.stdout):
            return "the metrics are above, no file was written"
    else:
        write_results(task, model, config, results)
    return str(results.folder)
