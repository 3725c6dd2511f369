"""Which device computes, in which precision, and how the machine is tuned for it."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import math
import os
import platform
import threading
from collections.abc import Iterator
from functools import cache

import torch

from ConSinGAN.config import DeviceConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.fast import processor
from ConSinGAN.fast.processor import Level

log = logging.getLogger(__name__)

_keeping = threading.Lock()
_kept: list[tuple[int, int]] = []  # threads that shall get their number back, and the number

PRECISION_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


def select_device(config: DeviceConfig) -> torch.device:
    """The device that the flags ask for: CUDA if there is one, else Apple MPS, else the CPU.

    Raises UsageError if --gpu names a card that is not there.
    """
    if config.not_cuda:
        return torch.device("cpu")
    num_cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if config.gpu is not None:
        if config.gpu >= num_cards:
            there = f"only {num_cards}" if num_cards else "no"
            raise UsageError(
                f"`gpu` {config.gpu}: this machine has {there} CUDA device(s), counted from 0; "
                "leave it away or use `not_cuda`"
            )
        return torch.device("cuda", config.gpu)
    if num_cards:
        return torch.device("cuda", 0)
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def select_precision(precision: str, device: torch.device) -> torch.dtype:
    """The type of the convolutions' arithmetic for --precision {auto, fp32, bf16}.

    auto is bf16 on CUDA from Ampere on and on processors with bf16 units (AMX or AVX512-BF16) that
    ONEDNN_MAX_CPU_ISA does not forbid, else float32. Raises UsageError if bf16 is asked for where
    it does not work.
    """
    if precision == "fp32":
        return torch.float32
    if device.type == "cuda":
        fast = works = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        # Without bf16 units the conversions cost more than bf16 saves, and below AVX-512 some
        # convolutions refuse it.
        fast = processor.level() >= Level.AVX512_BF16
        works = processor.level() >= Level.AVX512
    else:
        fast = works = False
    if precision == "bf16" and not works:
        raise UsageError(f"`precision` bf16 does not work on this {device.type}; use fp32 or auto")
    return torch.bfloat16 if fast or precision == "bf16" else torch.float32


def memory(device: torch.device) -> float:
    """Bytes of memory that the device has, free or not; infinite where that cannot be known."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return math.inf


def check_training_size(
    needed: int, max_size: int, size: tuple[int, int], device: torch.device
) -> None:
    """Tell how much memory a large run will take; UsageError if the device has less.

    needed: bytes, for a finest stage of `size` (h, w).
    """
    text = f"about {needed / 2**30:.1f} GiB of memory at {size[1]}x{size[0]} pixels"
    if needed > memory(device):
        raise UsageError(
            f"`max_size` {max_size}: training needs {text}, and there are "
            f"{memory(device) / 2**30:.1f}; lower `max_size`, `nfc` or `num_layer`"
        )
    if needed > 2**30:
        log.info("training needs %s; lower --max_size or --nfc to need less", text)


def why_too_large(needed: int, device: torch.device) -> str | None:
    """None if so many bytes fit into the device's memory, else what to say about it."""
    if needed <= memory(device):
        return None
    return f"about {needed / 2**30:.0f} GiB of memory; ask for a smaller one"


def set_threads(number: int | None) -> None:
    """Let so many threads compute on the processor; None: as many as before."""
    if number is not None:
        torch.set_num_threads(number)


@contextlib.contextmanager
def keeping_threads() -> Iterator[None]:
    """Put the number of threads back afterwards.

    Each thread of the process has its own number, and a new one the last that any has set. So what
    begins beside others takes the number that the first of them found, not the one that it uses.
    """
    mine = threading.get_ident()
    with _keeping:
        nested = any(thread == mine for thread, _ in _kept)
        before = _kept[0][1] if _kept and not nested else torch.get_num_threads()
        _kept.append((mine, before))
        torch.set_num_threads(before)
    try:
        yield
    finally:
        with _keeping:
            _kept.remove((mine, before))
            torch.set_num_threads(before)


def tune() -> None:
    """Keep freed memory in the process instead of giving it back to the system each time.

    Training allocates and frees the same large maps over and over; with glibc's defaults each
    time costs page faults. Does nothing elsewhere. On CUDA, convolutions of one shape are tried
    out once for the fastest kernel.
    """
    torch.backends.cudnn.benchmark = True
    if glibc := _glibc():
        m_trim_threshold, m_mmap_max = -1, -4
        glibc.mallopt(m_mmap_max, 0)
        glibc.mallopt(m_trim_threshold, -1)


def return_memory() -> None:
    """Give freed memory back to the system: of the gaps that `tune` keeps, those free right now."""
    if glibc := _glibc():
        glibc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is GNU's: finding out reads the interpreter's file."""
    return ctypes.CDLL("libc.so.6") if platform.libc_ver()[0] == "glibc" else None


def describe(device: torch.device) -> str:
    """The device in words, for config.yaml."""
    if device.type == "cuda":
        return f"cuda:{device.index} ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({torch.get_num_threads()} threads)" if device.type == "cpu" else "mps"
