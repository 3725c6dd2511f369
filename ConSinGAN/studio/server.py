"""Serving the page, from the first request to the last temporary file."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path

from ConSinGAN import console
from ConSinGAN.errors import ConSinGANError, UsageError
from ConSinGAN.studio.options import FIRST_PORT, StudioConfig

PORTS = 100  # that are tried if none is named
STOPPING = 3  # seconds that open connections get at the end


def serve(config: StudioConfig) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises UsageError if folder or port cannot be had."""
    models = _models_folder(config)
    with _temporary() as folder, _listen(config) as sock:
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")  # read when Gradio is imported
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        import uvicorn

        from ConSinGAN.studio.site import make_site

        site = make_site(config, models, folder)
        port = sock.getsockname()[1]
        host = f"[{config.host}]" if ":" in config.host else config.host
        address = f"http://{host}:{port}/"
        settings = uvicorn.Config(
            site, log_level="warning", timeout_graceful_shutdown=STOPPING, ws="none",
            access_log=False, server_header=False,
        )  # fmt: skip
        server = uvicorn.Server(settings)
        threading.Thread(
            target=_announce, args=(server, address, config.browser), daemon=True
        ).start()
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[sock])


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
def _temporary() -> Iterator[Path]:
    """A folder for this program's temporary files, which nobody else can read."""
    folder = Path(tempfile.mkdtemp(prefix="consingan-studio-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
