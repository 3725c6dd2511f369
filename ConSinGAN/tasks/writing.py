"""Turns drawings into files: those of an evaluation, and previews of a run."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch import Tensor

from ConSinGAN import images
from ConSinGAN.atomic import checksum, write_atomic
from ConSinGAN.evaluation import SCHEMA, EvalConfig
from ConSinGAN.hardware import PRECISION_NAMES
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.options import Scope
from ConSinGAN.pictures import video
from ConSinGAN.pictures.streamed import save_bands
from ConSinGAN.registry import TASKS
from ConSinGAN.results import Results
from ConSinGAN.tasks.base import Drawing, Task
from ConSinGAN.tiles import TiledPicture
from ConSinGAN.version import VERSION

SETTINGS = "settings.yaml"  # beside files that cannot carry their settings

Say = Callable[[str], Mapping[str, str]]  # texts that go into a file, by keyword; of a drawing


class Writer:
    """Writes drawings, stills on other threads. Use as a context manager.

    still_format, movie_format: extensions, which say how. place: where to write a file of a name.
    say: what files that can carry texts carry.
    """

    def __init__(
        self, still_format: str, movie_format: str, place: Callable[[str], Path],
        say: Say = lambda name: {},
    ) -> None:  # fmt: skip
        self.still_format, self.movie_format, self.place = still_format, movie_format, place
        self.say = say
        self._stills = images.ImageWriter()

    def write(self, drawing: Drawing) -> Path:
        """Write one drawing and return where; a still may come later, but before the end.

        One in tiles is there when this returns, and never in memory as a whole.
        """
        if drawing.fps is not None:
            path = self.place(f"{drawing.name}.{self.movie_format}")
            video.save_movie((_pixels(frame) for frame in drawing.frames), path, drawing.fps)
            return path
        path, text = self.place(f"{drawing.name}.{self.still_format}"), self.say(drawing.name)
        frame = next(iter(drawing.frames))
        if isinstance(frame, TiledPicture):
            save_bands(frame.bands(), frame.size, path, text)
        else:
            self._stills.save(_pixels(frame), path, text)
        return path

    def __enter__(self) -> Writer:
        self._stills.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stills.__exit__(*exception)


def _pixels(frame: Tensor | np.ndarray | TiledPicture) -> np.ndarray:
    return images.to_bytes(frame)[0] if isinstance(frame, Tensor) else np.asarray(frame)


def write_results(task: Task, model: ImageModel, config: EvalConfig, results: Results) -> None:
    """Write all that a task draws, and by what settings it can be drawn again.

    The settings are in the files that can carry them, else beside them. Nothing is written before
    the input files are known to be good.
    """
    drawings = task.run(model, config)
    first = next(drawings)
    settings = settings_of(model, config)

    def say(name: str) -> Mapping[str, str]:
        return {"ConSinGAN": _as_yaml(settings | {"drawing": name})}

    formats = config.still_format, config.movie_format
    with results, Writer(*formats, results.path, say) as writer:
        for drawing in itertools.chain([first], drawings):
            if writer.write(drawing).suffix != ".png":
                text = _as_yaml(settings).encode()
                write_atomic(results.path(SETTINGS), text, durable=False)


def settings_of(model: ImageModel, config: EvalConfig) -> dict[str, Any]:
    """What a drawing depends on: toolkit, model, task, its options, seed, arithmetic.

    Of pictures that it was given the names and checksums, not where they lay.
    """
    options = config.options_of("task")
    fields = [] if options is None else dataclasses.fields(options)
    wanted = [field.name for field in fields if field.metadata["scope"] is not Scope.HARMLESS]
    values = {name: getattr(options, name) for name in wanted}
    values = {name: value for name, value in values.items() if value is not None}
    paths = [name for name in values if SCHEMA.is_path(name)]
    files = {name: {"sha256": checksum(Path(values[name]))} for name in paths}
    values |= {name: Path(values[name]).name for name in paths}
    return {
        "toolkit": f"ConSinGAN {VERSION}",
        "model": str(config.model_dir),
        "task": config.task,
        "seed": config.seed,
        "precision": PRECISION_NAMES[model.generator.dtype],
        "options": values,
        **({"files": files} if files else {}),
    }


def _as_yaml(values: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(values))  # tuples become lists
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1000)


def write_previews(
    model: ImageModel, folder: Path, iteration: int, seed: Sequence[int], naive: Naive | None
) -> list[Path]:
    """Write what shows a model that is being trained, after `iteration` iterations of a stage."""
    with Writer("png", "gif", lambda name: folder / name) as writer:
        return [writer.write(drawing) for drawing in _previews(model, iteration, seed, naive)]


def _previews(
    model: ImageModel, iteration: int, seed: Sequence[int], naive: Naive | None
) -> Iterator[Drawing]:
    for name in model.mode.previews:
        yield from TASKS.load(name)().preview(model, iteration, seed, naive)
