"""Tensors in files that are whole or not there, and prove themselves.

Nothing here executes what a file says. A tensor file carries the SHA-256 of its content, so a
damaged or altered file is noticed before it is believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ConSinGAN import atomic
from ConSinGAN.errors import UsageError

MAX_HEADER = 10 * 2**20  # bytes; a model's header has a few thousand


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(dict(about), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None
) -> None:
    """Write tensors as safetensors, with the texts `about` and a checksum in the header."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    about = dict(about or {})
    header = about | {"sha256": _digest(tensors, about)}
    atomic.write_atomic(path, safetensors.torch.save(tensors, metadata=header))


def read_header(path: Path) -> dict:
    """The header of a safetensors file: names to shapes and types, and `__metadata__`.

    Raises UsageError if the file is missing or damaged.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > MAX_HEADER:
                raise ValueError("header too large")
            header = json.loads(file.read(size))
        if not isinstance(header, dict):
            raise ValueError("no header")
        return header
    except FileNotFoundError as error:
        raise UsageError(f"{path}: is missing; the run directory is not complete") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is damaged or is not a safetensors file") from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what `save_tensors` wrote: the tensors and `about`.

    Raises UsageError if the file is missing, damaged or lacks its checksum.
    """
    about = read_header(path).get("__metadata__")
    if not isinstance(about, dict) or "sha256" not in about:
        raise UsageError(f"{path}: has no checksum; it was not written by this toolkit")
    try:
        tensors = safetensors.torch.load(path.read_bytes())
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise UsageError(f"{path}: is damaged") from error
    expected = about.pop("sha256")
    if _digest(tensors, about) != expected:
        raise UsageError(f"{path}: is damaged (its checksum is wrong)")
    return tensors, about


def load_without_code(path: str | Path, what: str) -> Any:
    """What torch has saved in a file, of which nothing is executed.

    Raises UsageError, saying that it is not `what`, if torch cannot read it so.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except Exception as error:  # torch raises many kinds for foreign files
        raise UsageError(f"{path}: is not {what}") from error
