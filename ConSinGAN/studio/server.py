"""Serving the page, from the first request to the last temporary file."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ConSinGAN import console, lock
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.studio import temporary
from ConSinGAN.studio.drawing import Artist
from ConSinGAN.studio.models import Models
from ConSinGAN.studio.options import FIRST_PORT, StudioConfig
from ConSinGAN.studio.services import Studio
from ConSinGAN.studio.sessions import Sessions
from ConSinGAN.studio.trainings import Trainings
from ConSinGAN.studio.uploads import Pictures
from ConSinGAN.studio.worker import Worker

if TYPE_CHECKING:
    from ConSinGAN.studio.site import Site

PORTS = 100  # that are tried if none is named
OWN = ".studio"  # in the models folder: the queue, pictures to train on
SIGNALS = [signal.SIGINT, signal.SIGTERM, *filter(None, [getattr(signal, "SIGHUP", None)])]
BEAT = 20.0  # seconds between looks for files to remove
STOPPING = 3  # seconds that open connections get at the end


def serve(config: StudioConfig) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises UsageError if folder or port cannot be had."""
    models = _models_folder(config)
    with (
        _interruptible(),
        _alone(models) as own,
        _listen(config) as sock,
        temporary.folder() as folder,
        Worker(own / "worker.log") as worker,
        Trainings(own) as trainings,
        Artist(Models(models)) as artist,
    ):
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")  # read when Gradio is imported
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        import uvicorn

        from ConSinGAN.studio.site import Site

        # What is shown lies where Gradio serves files from, or it would be copied there, and stay.
        sessions = Sessions(folder / "gradio" / "sessions")
        pictures = Pictures(own / "pictures")
        services = Studio(artist.models, sessions, trainings, worker, pictures, artist)
        site = Site(config, services, folder / "gradio")
        settings = uvicorn.Config(
            site.application, log_level="warning", timeout_graceful_shutdown=STOPPING, ws="none",
            access_log=False, server_header=False, h11_max_incomplete_event_size=2**16,
        )  # fmt: skip
        server = uvicorn.Server(settings)
        host = f"[{config.host}]" if ":" in config.host else config.host
        address = f"http://{host}:{sock.getsockname()[1]}/"
        for target, arguments in (
            (_announce, (server, address, config.browser)),
            (_sweep, (site, services.sessions)),
        ):
            threading.Thread(target=target, args=arguments, daemon=True).start()
        server.run(sockets=[sock])


def _sweep(site: Site, sessions: Sessions) -> None:
    """Remove what nobody needs any more, now and then."""
    while True:
        time.sleep(BEAT)
        site.addresses.sweep()
        sessions.sweep()


def _announce(server: object, address: str, browser: bool) -> None:
    while not getattr(server, "started", False):
        time.sleep(0.05)
    console.say(f"the studio is open at {address} (Ctrl-C ends it)", sys.stdout)
    if browser:
        webbrowser.open(address)


def _models_folder(config: StudioConfig) -> Path:
    folder = Path(os.path.expanduser(config.models)).absolute()  # noqa: PTH111 (may raise)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"`models` {config.models}: {reason}") from error
    return folder


@contextlib.contextmanager
def _alone(models: Path) -> Iterator[Path]:
    """The folder for the studio's own files. Raises UsageError if another studio is open here."""
    own = models / OWN
    try:
        own.mkdir(exist_ok=True)
        with lock.hold(own):
            yield own
    except lock.InUse:
        raise UsageError(
            f"`models` {models}: another studio is open on this folder; use that one, end it, or "
            "name another folder"
        ) from None


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let signals end the program as exceptions do, so that it cleans up."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        if signum not in (signal.SIGINT, signal.SIGTERM):  # which the server knows how to answer
            signal.raise_signal(signal.SIGTERM)
            return
        raise KeyboardInterrupt

    before = {name: signal.signal(name, interrupt) for name in SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        console.say("the studio has ended", sys.stdout)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextlib.contextmanager
def _listen(config: StudioConfig) -> Iterator[socket.socket]:
    """A socket at the port that is asked for, or at the first that is free."""
    ports = [config.port] if config.port else [*range(FIRST_PORT, FIRST_PORT + PORTS)]
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    for port in ports:
        sock = socket.socket(family)
        if os.name != "nt":  # there it would let two listen at one port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((config.host, port))
            sock.listen()  # or another studio that begins now may bind it, too
        except (OSError, OverflowError) as error:
            sock.close()
            if config.port:
                reason = getattr(error, "strerror", None) or error
                raise UsageError(f"`host` {config.host}, `port` {port}: {reason}") from error
            continue
        with sock:
            yield sock
        return
    raise ConSinGANError(f"`host` {config.host}: no port from {ports[0]} to {ports[-1]} can be had")
