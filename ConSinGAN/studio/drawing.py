"""Drawing for pages: what the command line would write, into a folder of the session's."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN import ask, console, saved
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.options import field_of
from ConSinGAN.registry import TASKS

if TYPE_CHECKING:
    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.model import ImageModel
    from ConSinGAN.studio.models import Models

KEPT = 2  # opened models
MEGAPIXELS = 64  # of all that is drawn at a time; the command line draws more
PICTURES = 100  # that are drawn at a time, or
FRAMES = 1000
STILLS = (".png", ".jpg", ".gif", ".apng")  # which a browser shows as pictures
FILMS = (".mp4", ".webm")


class Cancelled(ConSinGANError):
    """The one who asked for it does not want it any more."""


@dataclass(frozen=True)
class Result:
    """What was drawn.

    files: in the order in which they were drawn. flags: by which they can be drawn again.
    """

    files: tuple[Path, ...]
    flags: Mapping[str, Any]

    @property
    def films(self) -> list[Path]:
        """The moving ones that are no pictures to a browser."""
        return [path for path in self.files if path.suffix in FILMS]

    @property
    def pictures(self) -> list[Path]:
        """What a browser shows as a picture: what is new first, then what it is compared with."""
        task = TASKS.load(self.flags["task"])
        shown = [path for path in self.files if path.suffix in STILLS]
        return sorted(shown, key=lambda path: path.stem in task.references)

    def compared(self) -> tuple[Path, Path] | None:
        """The pictures before and after, if the task says which they are."""
        pair = TASKS.load(self.flags["task"]).compared
        if pair is None:
            return None
        found = [[path for path in self.pictures if path.stem.startswith(one)] for one in pair]
        return (found[0][0], found[1][0]) if all(found) else None


@dataclass
class Order:
    """Something that is being drawn, or waits for it."""

    begun: bool = False
    total: int | None = None
    done: int = 0
    what: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)
    _future: Future[Result] = field(default_factory=Future)

    def cancel(self) -> None:
        """Stop it, at the next picture or frame."""
        self._stop.set()
        self._future.cancel()

    def wait(self, seconds: float | None = None) -> Result | None:
        """What was drawn; None if it is not there after so many seconds.

        Raises ConSinGANError, what the toolkit says.
        """
        try:
            return self._future.result(seconds)
        except CancelledError:  # before it began
            raise Cancelled("stopped") from None
        except NotYet:
            if self._future.done():
                raise
            return None

    def tell(self, what: str, done: int, total: int | None) -> None:
        """Is told before each picture."""
        if self._stop.is_set():
            raise Cancelled("stopped")
        self.what, self.done, self.total = what, done, total


class Artist:
    """Draws for everybody, one after the other, in one thread; keeps a few models open.

    Use as a context manager; afterwards nothing is drawn.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="artist")
        self._orders: deque[Order] = deque(maxlen=100)  # the newest
        self._open: OrderedDict[tuple[Path, int], ImageModel] = OrderedDict()

    def run_config(self, key: object) -> TrainConfig:
        """The configuration of the run of that id. Raises UsageError if there is none."""
        return saved.read_config(self.models.path(key))

    def ask(self, key: object, flags: Mapping[str, Any], folder: Path) -> Order:
        """Draw, as `evaluate_model.py` with these flags does, into a new folder.

        key: the model's id. flags: of the task, checked or not; pictures among them are files of
        the session's own. What is wrong is known when the order is waited for.
        """
        order = Order()
        self._orders.append(order)
        order._future = self._pool.submit(self._work, order, key, dict(flags), folder)
        return order

    def flags(self, key: object, flags: Mapping[str, Any]) -> dict[str, Any]:
        """The flags with the model's, in the order of a command line."""
        return {"model_dir": shown(self.models.path(key)), **flags}

    def __enter__(self) -> Artist:
        return self

    def __exit__(self, *exception: object) -> None:
        """Draw no more: what is being drawn stops at the next picture."""
        for order in self._orders:
            order.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _work(self, order: Order, key: object, flags: dict[str, Any], folder: Path) -> Result:
        from ConSinGAN import hardware
        from ConSinGAN.results import Results, listed
        from ConSinGAN.tasks.writing import write_results

        order.tell("", 0, None)
        order.begun = True
        try:
            flags = self.flags(key, flags)
            config, task = ask.configure(flags)
            model = self._model(self.models.path(key), config)
            check_extent(model, config)
            task.check(model, config)
            with console.telling(order.tell):
                write_results(task, model, config, Results(folder))
            files = tuple(folder / name for name in listed(folder))
            return Result(files, {**flags, "task": config.task})
        finally:
            hardware.return_memory()

    def model(self, key: object) -> ImageModel:
        """The open model of that id, of which sizes may be asked. Raises UsageError."""
        config = ask.SCHEMA.build({})
        return self._pool.submit(self._model, self.models.path(key), config).result()

    def _model(self, path: Path, config: EvalConfig) -> ImageModel:
        """A model as `ask.prepare` opens it, or the one that is open already."""
        from ConSinGAN import hardware

        device = hardware.select_device(config)
        stamp = path, (path / saved.CONFIG).stat().st_mtime_ns
        model = self._open.pop(stamp, None)
        if model is None:
            while len(self._open) >= KEPT:
                self._open.popitem(last=False)
            model = ask.open_model(path, device, config.precision, config.threads)
        model.set_precision(hardware.select_precision(config.precision, device))
        self._open[stamp] = model
        return model


def check_extent(model: ImageModel, config: EvalConfig) -> None:
    """Raise UsageError, naming the option, for what is too much for a page."""
    options = config.options_of("task")
    num = getattr(options, "num_samples", 1)
    if num > PICTURES:
        raise UsageError(f"`num_samples` must be at most {PICTURES} here, not {num}")
    if getattr(options, "num_frames", 0) > FRAMES:
        raise UsageError(f"`num_frames` must be at most {FRAMES} here, not {options.num_frames}")
    height, width = model.sizes[-1]
    name = "num_samples"
    if (size := getattr(options, "size", None)) is not None:
        name, (height, width) = "size", size
    elif (extend := getattr(options, "extend", None)) is not None:
        name = "extend"
        height, width = height + extend[0] + extend[2], width + extend[1] + extend[3]
    elif getattr(options, "scale_h", None) or getattr(options, "scale_w", None):
        name = "scale_h" if (options.scale_h or 1) > (options.scale_w or 1) else "scale_w"
        height, width = height * (options.scale_h or 1), width * (options.scale_w or 1)
    if height * width * num > MEGAPIXELS * 10**6:
        raise UsageError(
            f"`{name}`: {num} of {width:.0f}x{height:.0f} pixels are more than the "
            f"{MEGAPIXELS} megapixels that are drawn here at a time; the command line draws more"
        )


def shown(path: Path) -> str:
    """A run directory as somebody would type it who works where the studio was started."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def command_line(flags: Mapping[str, Any]) -> str:
    """The command that draws the same files; path options are named by file."""
    words: list[object] = ["python", "evaluate_model.py"]
    for name, value in flags.items():
        if value is False:
            words.append(f"--no-{name}")
            continue
        words.append(f"--{name}")
        if name != "model_dir" and ask.SCHEMA.is_path(name):
            words.append(Path(value).name)
        elif isinstance(value, (tuple, list)):
            words += value
        elif value is not True:
            words.append(value)
    return console.command(*words)


def defaults_of(task: str) -> dict[str, Any]:
    """The defaults of a task's options, its own among them."""
    cls = TASKS.find(task).options()
    names = [] if cls is None else list(getattr(cls, "__dataclass_fields__", {}))
    own = {name: field_of(cls, name).default for name in names} if cls is not None else {}
    return {**own, **TASKS.load(task).defaults}
