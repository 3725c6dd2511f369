"""Which instructions the processor's convolutions use: those it has and the environment allows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import IntEnum
from functools import cache

import torch


class Level(IntEnum):
    """Instruction sets of x86 processors that matter here; each contains the ones before."""

    OTHER = 0  # another architecture, or older than AVX2
    AVX2 = 1
    AVX512 = 2
    AVX512_BF16 = 3
    AMX = 4


# oneDNN's names, less what follows their first match; the longer ones come first.
_LIMITS = {
    "AVX512_CORE_AMX": Level.AMX,
    "AVX512_CORE_FP16": Level.AVX512_BF16,
    "AVX10_1_512_AMX": Level.AMX,
    "AVX10_2_512_AMX": Level.AMX,
    "AVX10": Level.AVX512_BF16,
    "AVX512_CORE_BF16": Level.AVX512_BF16,
    "AVX512": Level.AVX512,
    "AVX2": Level.AVX2,
    "AVX": Level.OTHER,
    "SSE41": Level.OTHER,
}
_FEATURES = {
    Level.AVX2: "avx2",
    Level.AVX512: "avx512",
    Level.AVX512_BF16: "avx512_bf16",
    Level.AMX: "amx_tile",
}


def supports(feature: str) -> bool:
    """Whether torch says that the processor has the feature, such as "avx512_bf16"."""
    probe = getattr(torch.cpu, f"_is_{feature}_supported", None)
    return bool(probe and probe())


def hardware_level() -> Level:
    """The processor's own level, whatever the environment says."""
    return max((level for level, name in _FEATURES.items() if supports(name)), default=Level.OTHER)


def limit(environment: Mapping[str, str]) -> Level:
    """The highest level that oneDNN is allowed: ONEDNN_MAX_CPU_ISA, or DNNL_MAX_CPU_ISA.

    Names that oneDNN does not know limit nothing, as there.
    """
    name = environment.get("ONEDNN_MAX_CPU_ISA") or environment.get("DNNL_MAX_CPU_ISA") or ""
    known = (level for start, level in _LIMITS.items() if name.upper().startswith(start))
    return next(known, Level.AMX)


@cache
def level() -> Level:
    """The level that convolutions run at in this process, fixed at the first call.

    oneDNN reads its limit at its first use, so that a later change of the environment is void
    there, too.
    """
    return min(hardware_level(), limit(os.environ))
