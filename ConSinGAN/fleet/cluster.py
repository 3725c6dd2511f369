"""Ray: on this machine alone and unseen from outside, or a cluster that is there."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.fleet.options import FleetConfig

log = logging.getLogger(__name__)

MISSING = (
    "the fleet needs Ray, which is not installed: pip install 'ray[tune]' (or the extra [fleet] of "
    "this toolkit)"
)
CONNECT = 10.0  # seconds
# Ray's folder has a short name, as sockets must, and a process that is late may still write there.
CAREFREE: dict[str, Any] = {"ignore_cleanup_errors": True}
OBJECT_STORE = 80 * 2**20  # bytes; no pictures or weights go through it
# What Ray reads when it is loaded. With the second it keeps to the loopback interface, instead of
# taking the machine's outside address for its own and listening there.
LOCAL = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
ATTACHED = {"RAY_USAGE_STATS_ENABLED": "0"}


class Cluster:
    """Where tasks run."""

    def __init__(self, config: FleetConfig, local: bool, gpus_per_run: float) -> None:
        self.config, self.local, self.gpus_per_run = config, local, gpus_per_run

    @property
    def task_options(self) -> dict[str, Any]:
        """How Ray shall run one piece of work. Its failures are the engine's to deal with."""
        options: dict[str, Any] = {
            "num_cpus": self.config.threads_per_run,
            "max_retries": 0,
            "max_calls": 200,  # then its process makes room for a new one
            "scheduling_strategy": "SPREAD",
        }
        return options | ({"num_gpus": self.gpus_per_run} if self.gpus_per_run else {})

    def capacity(self) -> int:
        """How many pieces of work shall be under way at once; at least one."""
        import ray

        if self.config.workers is not None:
            return self.config.workers
        there = ray.cluster_resources()
        places = there.get("CPU", 0) / self.config.threads_per_run
        if self.gpus_per_run:
            places = min(places, there.get("GPU", 0) / self.gpus_per_run)
        # Beyond what there is, so that a cluster that can grow knows that it should.
        return max(1, int(places) + (0 if self.local else max(1, int(places) // 4)))


@contextlib.contextmanager
def connected(config: FleetConfig) -> Iterator[Cluster]:
    """Ray, started on this machine or joined at `config.address`; left or stopped at the end.

    Raises UsageError if Ray is not installed, the cluster does not answer or has no such places.
    """
    local = config.address is None
    if "ray" not in sys.modules:  # later it takes no notice
        secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        for name, value in (LOCAL | secret if local else ATTACHED).items():
            os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise UsageError(MISSING) from error
    settings: dict[str, Any] = {
        "runtime_env": {"env_vars": _for_workers(config)},
        "log_to_driver": False,
        "configure_logging": False,
    }
    with _no_chatter(), tempfile.TemporaryDirectory(prefix="fleet", **CAREFREE) as folder:
        try:
            if local:
                _start(config, settings | {"_temp_dir": folder})
            else:
                _join(config, settings)
            yield Cluster(config, local, _gpus_per_run(config, ray.cluster_resources()))
        except ray.exceptions.RayError as error:
            raise ConSinGANError(
                f"Ray has failed ({_first_line(error)}); the same command goes on"
            ) from error
        finally:
            ray.shutdown()


def _start(config: FleetConfig, settings: dict[str, Any]) -> None:
    """Start Ray on this machine. Raises ConSinGANError if it does not start."""
    import ray

    runs = config.workers or max(1, _cores() // config.threads_per_run)
    try:
        with _no_dashboard():
            ray.init(
                "local",  # whatever RAY_ADDRESS says
                num_cpus=runs * config.threads_per_run, include_dashboard=False,
                object_store_memory=OBJECT_STORE, **settings,
            )  # fmt: skip
    except Exception as error:  # Ray raises many kinds
        raise ConSinGANError(f"Ray does not start on this machine: {_first_line(error)}") from error


def _join(config: FleetConfig, settings: dict[str, Any]) -> None:
    """Join a cluster. Raises UsageError if none answers."""
    import ray

    address = str(config.address)
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if host:  # Ray itself would try for ten minutes
            socket.create_connection((host, int(port)), timeout=CONNECT).close()
        ray.init(address, **settings)
        largest = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]),
                      default=0)  # fmt: skip
    except Exception as error:  # Ray raises many kinds
        raise UsageError(
            f"`address` {address}: no Ray cluster answers ({_first_line(error)})"
        ) from error
    if largest < config.threads_per_run:
        log.warning(
            "no machine of the cluster has %d cores (--threads_per_run), the largest %d: nothing "
            "begins until one has", config.threads_per_run, largest,
        )  # fmt: skip


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _for_workers(config: FleetConfig) -> dict[str, str]:
    """The environment of every process that works: its threads, and where this toolkit is."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "OMP_NUM_THREADS": str(config.threads_per_run),
        "MKL_NUM_THREADS": str(config.threads_per_run),
        "PYTHONPATH": os.pathsep.join(paths),
        "RAY_CHDIR_TO_TRIAL_DIR": "0",  # or Tune would make relative names those of other files
    }


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus_per_run(config: FleetConfig, there: dict[str, float]) -> float:
    """How much of a card each run gets. Raises UsageError if there are none to give."""
    cards = there.get("GPU", 0)
    if config.gpus_per_run is None:
        return 1.0 if cards else 0.0
    if config.gpus_per_run > 1 and config.gpus_per_run != int(config.gpus_per_run):
        raise UsageError(
            f"`gpus_per_run` {config.gpus_per_run}: a part of one card, or a whole number of them"
        )
    if config.gpus_per_run > cards:
        raise UsageError(f"`gpus_per_run` {config.gpus_per_run}: there are {cards:.0f} cards")
    return config.gpus_per_run


def _no_dashboard() -> contextlib.AbstractContextManager[None]:
    """Start Ray without the process of its dashboard.

    It is started even if there shall be no dashboard and no report of usage, and then asks the
    addresses where clouds tell what a machine is.
    """
    return _silenced("ray._private.node", "Node.start_api_server")


def _no_chatter() -> contextlib.AbstractContextManager[None]:
    """Keep Ray from writing a paragraph to standard output whenever a process of its dies."""
    return _silenced("ray._private.worker", "print_to_stdstream")


@contextlib.contextmanager
def _silenced(module: str, name: str) -> Iterator[None]:
    """Let one of Ray's inner functions do nothing meanwhile."""
    *above, last = name.split(".")
    owner: Any = sys.modules.get(module)
    for part in above:
        owner = getattr(owner, part, None)
    before = getattr(owner, last, None)
    if before is None:  # another version of Ray than those known
        log.warning("this version of Ray has no %s in %s: it may say or ask more than it should",
                    name, module)  # fmt: skip
        yield
        return
    setattr(owner, last, lambda *args, **kwargs: None)
    try:
        yield
    finally:
        setattr(owner, last, before)
