"""Turns drawings into files: those of an evaluation, and previews of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ConSinGAN import images
from ConSinGAN.evaluation import EvalConfig
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.pictures import video
from ConSinGAN.registry import TASKS
from ConSinGAN.results import Results
from ConSinGAN.tasks.base import Drawing, Task


class Writer:
    """Writes drawings, stills on other threads. Use as a context manager.

    still_format, movie_format: extensions, which say how. place: where to write a file of a name.
    """

    def __init__(self, still_format: str, movie_format: str, place: Callable[[str], Path]) -> None:
        self.still_format, self.movie_format, self.place = still_format, movie_format, place
        self._stills = images.ImageWriter()

    def write(self, drawing: Drawing) -> Path:
        """Write one drawing and return where; a still may come later, but before the end."""
        frames = (_pixels(frame) for frame in drawing.frames)
        if drawing.fps is None:
            path = self.place(f"{drawing.name}.{self.still_format}")
            self._stills.save(next(frames), path)
        else:
            path = self.place(f"{drawing.name}.{self.movie_format}")
            video.save_movie(frames, path, drawing.fps)
        return path

    def __enter__(self) -> Writer:
        self._stills.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stills.__exit__(*exception)


def _pixels(frame: Tensor | np.ndarray) -> np.ndarray:
    return images.to_bytes(frame)[0] if isinstance(frame, Tensor) else frame


def write_results(task: Task, model: ImageModel, config: EvalConfig, results: Results) -> None:
    """Write all that a task draws.

    Nothing is written before the input files are known to be good.
    """
    drawings = task.run(model, config)
    first = next(drawings)
    with results, Writer(config.still_format, config.movie_format, results.path) as writer:
        writer.write(first)
        for drawing in drawings:
            writer.write(drawing)


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
