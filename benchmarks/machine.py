"""The machine of a benchmark: its processor's instructions, limits to them, and busy neighbours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from ConSinGAN import hardware
from ConSinGAN.fast import processor

# What makes libraries behave as on a lesser processor. MKL obeys on Intel's only.
LIMITS = {
    "native": {},
    "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "MKL_ENABLE_INSTRUCTIONS": "AVX512"},
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
}
BUSY_LOOP = """
import torch
torch.set_num_threads(1)
a = torch.rand(192, 192)
while True:
    a = a @ a / (a.norm() + 1)
"""


def run_again(isa: str, environment: Mapping[str, str]) -> None:
    """Replace this process by the same command without --isa, under the limits of that name."""
    words = sys.argv[:]
    for i, word in enumerate(words):
        if word == "--isa":
            del words[i : i + 2]
            break
        if word.startswith("--isa="):
            del words[i]
            break
    limited = {name for limits in LIMITS.values() for name in limits}
    kept = {name: value for name, value in environment.items() if name not in limited}
    os.execve(sys.executable, [sys.executable, *words], kept | LIMITS[isa])


def describe(device: torch.device) -> str:
    """Device, threads and the instructions that are really used, one line."""
    own, used = processor.hardware_level(), processor.level()
    limited = "" if own == used else f", limited from {own.name.lower()}"
    instructions = f"{used.name.lower()}{limited}, ATen {torch.backends.cpu.get_cpu_capability()}"
    return f"{hardware.describe(device)}, instructions {instructions}, torch {torch.__version__}"


@contextmanager
def busy(num: int, environment: Mapping[str, str]) -> Iterator[None]:
    """Let `num` other processes calculate meanwhile."""
    command = [sys.executable, "-c", BUSY_LOOP]
    others = [subprocess.Popen(command, env=dict(environment)) for _ in range(num)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
