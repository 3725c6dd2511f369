"""The flags of the studio. Imports neither torch nor Gradio."""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ConSinGAN.errors import UsageError
from ConSinGAN.options import add_flag, add_verbosity, check_value, new_parser, option

FIRST_PORT = 7860  # Gradio's; the next free one is taken if it is not
MAX_UPLOAD = 256 * 2**20  # bytes of a file that is dropped on the page
MAX_MEGAPIXELS = 100.0  # of a picture
HOST = re.compile(r"[A-Za-z0-9.:_-]+")


@dataclass(frozen=True, kw_only=True)
class StudioConfig:
    """Where the studio finds models, and who can reach it."""

    models: str = option(
        "TrainedModels", "studio", "the folder that run directories are and go in", metavar="DIR"
    )
    host: str = option(
        "127.0.0.1", "studio", "address to listen at; others than this machine's need --auth",
        metavar="ADDRESS",
    )  # fmt: skip
    port: int | None = option(
        None, "studio", f"port to listen at (default: {FIRST_PORT}, or the next that is free)",
        low=1, high=65535, metavar="N",
    )  # fmt: skip
    browser: bool = option(True, "studio", "open the page in a browser")
    auth: str | None = option(
        None, "studio", "let in only who knows these", metavar="USER:PASSWORD"
    )

    @property
    def login(self) -> tuple[str, str] | None:
        """User and password, if there are any."""
        if self.auth is None:
            return None
        user, _, password = self.auth.partition(":")
        return user, password

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def make_parser(description: str) -> argparse.ArgumentParser:
    """All flags of the studio."""
    parser = new_parser(description)
    parser.prog = "python -m ConSinGAN.studio"
    group = parser.add_argument_group("studio")
    for field in dataclasses.fields(StudioConfig):
        add_flag(group, StudioConfig, field.name)
    add_verbosity(parser)
    return parser


def configure(flags: Mapping[str, Any]) -> StudioConfig:
    """The checked flags. Raises UsageError, with one line that names the flag."""
    config = StudioConfig(**{n: check_value(StudioConfig, n, v) for n, v in flags.items()})
    if not HOST.fullmatch(config.host):
        raise UsageError(f"`host` takes an address such as 127.0.0.1, not {config.host!r}")
    if config.login is not None and not all(config.login):
        raise UsageError("`auth` takes USER:PASSWORD, both of them not empty")
    if not config.is_local and config.login is None:
        raise UsageError(
            f"`host` {config.host}: others in the network could use this machine and see your "
            "pictures; add `auth` USER:PASSWORD, or stay with 127.0.0.1"
        )
    return config
