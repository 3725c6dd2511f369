"""Training one picture, in a process of Ray's: begun, or gone on with from its checkpoint."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN import launch, saved
from ConSinGAN.config import SCHEMA
from ConSinGAN.errors import UsageError
from ConSinGAN.fleet.board import Reporter
from ConSinGAN.fleet.engine import Interrupted
from ConSinGAN.fleet.place import Place
from ConSinGAN.options import Scope

if TYPE_CHECKING:
    from ConSinGAN.watch.base import Watcher


@dataclass(frozen=True)
class Training:
    """The order to train a picture.

    flags: as typed, with the picture, seed and threads. name: of the run directory in the place.
    """

    place: Place
    name: str
    flags: Mapping[str, Any]

    def blind(self) -> str | None:
        """What this machine lacks."""
        return self.place.blind()


def train(order: Training, reporter: Reporter, watchers: Sequence[Watcher] = ()) -> dict[str, Any]:
    """Train, or go on where the run was left; what there is to tell of it.

    watchers: more of them than the fleet's. Raises ConSinGANError as training does, Interrupted
    if it was stopped with a checkpoint.
    """
    from ConSinGAN import hardware
    from ConSinGAN.fleet.watching import FleetWatcher
    from ConSinGAN.watch.base import Stopped

    logging.getLogger("ConSinGAN").setLevel(logging.INFO)  # what its run.log holds
    start, watcher = time.monotonic(), FleetWatcher(reporter)
    reporter.say(host=socket.gethostname())
    if reporter.should_stop:
        raise Interrupted(reporter.should_stop)
    place, name = order.place, order.name

    def warn(text: str) -> None:
        reporter.say(warning=text)

    with (
        place.working(name) as lease,
        reporter.keeping(lease),
        place.at_hand(name, lease, warn) as path,
    ):
        try:
            _train_or_resume(order, path, [watcher, *watchers])
        except Stopped as stopped:
            raise Interrupted(stopped.reason) from None
        finally:
            reporter.say(seconds=time.monotonic() - start)
            hardware.return_memory()
    return reporter.facts


def _train_or_resume(order: Training, path: Path, watchers: Sequence[Watcher]) -> None:
    flags = dict(order.flags)
    if not (path / saved.CONFIG).exists():
        if path.exists() and any(path.iterdir()):
            raise UsageError(f"{path}: is there already and is no run directory; move it away")
        launch.train(flags | {"output_dir": order.place.address}, watchers, path)
        return
    before = saved.read_config(path)
    if not _same_file(before.input_name, flags["input_name"]):
        raise UsageError(
            f"{path}: is a run of another picture, {before.input_name}; move it away, or name "
            "another `output_dir`"
        )
    launch.resume(path, _harmless(flags), watchers)


def _same_file(one: str, other: str) -> bool:
    try:
        return one == other or Path(one).samefile(other)
    except OSError:
        return False


def _harmless(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the flags that may differ from what a run was begun with."""
    changeable = (Scope.HARMLESS, Scope.ROUNDING)
    options = SCHEMA.options
    return {n: v for n, v in flags.items() if n in options and options[n].scope(n) in changeable}
