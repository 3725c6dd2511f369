"""Drawings in tiles against whole ones, and what memory and time large ones take.

Networks of equality are small, and bf16 is tried on smaller drawings where the processor has no
units for it. Peak memory and time are those of a process of its own, with a network of the usual
size, that writes a PNG file; python benchmarks/jobs/tiles.py MODEL HEIGHT WIDTH TILE measures one.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import ConSinGAN  # noqa: E402
from ConSinGAN import images  # noqa: E402
from ConSinGAN.fast import processor  # noqa: E402
from ConSinGAN.fast.processor import Level  # noqa: E402
from ConSinGAN.frame import Border, Frame  # noqa: E402
from ConSinGAN.model import ImageModel  # noqa: E402
from ConSinGAN.noise import Purpose  # noqa: E402
from ConSinGAN.pictures.streamed import save_bands  # noqa: E402
from ConSinGAN.resize import resize  # noqa: E402
from ConSinGAN.tasks._tiling import whole  # noqa: E402
from ConSinGAN.tasks.outpainting import extensions  # noqa: E402
from ConSinGAN.tasks.style import draw_content  # noqa: E402
from ConSinGAN.tiles import USUAL  # noqa: E402
from jobs.common import BUNDLED, Row, read, trained  # noqa: E402

PICTURES = list(BUNDLED.values())
SIZE, TILE = (1000, 1500), 200
CHANGED, CHANGED_TILE = (301, 433), 101  # of drawings that are changed afterwards
LARGE = [(750, 1000), (1500, 2000), (3000, 4000)]  # pixels
SMALL = (200, 301), 64  # size and tile in bf16 on a processor that is slow at it
LARGE_TILE = USUAL
QUICK = {"max_size": 120, "niter": 40, "Dsteps": 1, "nfc": 32}
KINDS: dict[str, tuple[dict, Border | None]] = {
    "noise at the borders": ({"train_mode": "generation"}, None),
    "zeros at the borders": ({"train_mode": "retarget"}, None),
    "wrapped": ({"train_mode": "generation"}, "wrap"),
    "norms": ({"train_mode": "harmonization", "min_size": 60}, None),
    "norms, wrapped": ({"train_mode": "harmonization", "min_size": 60}, "wrap"),
}


def measure(picture: Path, out: Path) -> list[Row]:
    """Equality of every kind of drawing in both arithmetics, then memory and time of large ones."""
    rows: list[Row] = []
    for kind, (options, border) in KINDS.items():
        run = trained(picture, out, **QUICK, **options)
        for dtype in (torch.float32, torch.bfloat16):
            model = run.load()
            model.set_precision(dtype)
            slow = dtype == torch.bfloat16 and processor.level() < Level.AVX512_BF16
            size, tile = SMALL if slow else (SIZE, TILE)
            rows.append({"picture": picture.stem, **equality(model, kind, border, size, tile)})
    rows += [{"picture": picture.stem, **row} for row in changed(picture, out)]
    run = trained(picture, out, **QUICK | {"niter": 10, "nfc": 64}, train_mode="generation")
    for size in LARGE:
        rows.append({"picture": picture.stem, "drawing": "to disk", **in_process(run.path, size)})
    return rows


def equality(
    model: ImageModel, kind: str, border: Border | None, size: tuple[int, int] = SIZE,
    tile: int = TILE,
) -> Row:  # fmt: skip
    """How far tiles are from the whole drawing, in levels of the pixels that are written."""
    frame = Frame.whole(model.sizes_for(size), border or model.generator.border)
    given = None
    if model.mode.why_no_random_pictures():
        given = resize(model.reals[0], size=frame.places[0].size)
    latents = model.random_latents(Purpose.SAMPLE, 0, 0, given=given)

    def draw(side: int) -> Tensor:
        return model.drawing(latents, frame, side).tensor()

    arithmetic = "fp32" if model.generator.dtype == torch.float32 else "bf16"
    return compared(kind, arithmetic, draw, tile)


def changed(picture: Path, out: Path) -> list[Row]:
    """Equality of drawings that are changed by what is around a pixel, in float32."""
    styled = trained(picture, out, **QUICK, **KINDS["norms"][0]).load()
    extended = trained(picture, out, **QUICK, **KINDS["noise at the borders"][0]).load()
    (height, width), content = extended.sizes[-1], read(picture, 500)
    more, wide = CHANGED[0] - height, CHANGED[1] - width

    def style(side: int) -> Tensor:
        return whole(draw_content(styled, content, CHANGED, tile=side))

    def outpaint(side: int) -> Tensor:
        return whole(next(extensions(extended, (more, wide, 0, 0), range(1), 0, side)))

    kinds = (("style", style), ("outpainting", outpaint))
    return [compared(kind, "fp32", draw, CHANGED_TILE) for kind, draw in kinds]


def compared(kind: str, arithmetic: str, draw: Callable[[int], Tensor], tile: int) -> Row:
    """A row about a drawing in tiles of so many pixels a side against the whole one, for 0."""
    start = time.perf_counter()
    at_once = _levels(draw(0))
    between = time.perf_counter()
    tiled = _levels(draw(tile))
    apart = (tiled - at_once).abs().amax(dim=1)
    return {
        "drawing": kind,
        "size": f"{apart.shape[2]}x{apart.shape[1]}",
        "tile": tile,
        "arithmetic": arithmetic,
        "most levels apart": int(apart.max()),
        "% within 1": float(100 * (apart <= 1).float().mean()),
        "seconds whole": between - start,
        "seconds in tiles": time.perf_counter() - between,
    }


def _levels(picture: Tensor) -> Tensor:
    return torch.from_numpy(images.to_bytes(picture)).permute(0, 3, 1, 2).int()


def in_process(path: Path, size: tuple[int, int], tile: int = LARGE_TILE) -> Row:
    """Memory and time of a drawing, in a process of its own."""
    words = [sys.executable, __file__, path, size[0], size[1], tile]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def large(path: Path, size: tuple[int, int], tile: int) -> Row:
    """Draw into a file that is removed afterwards; peak resident memory is the process's."""
    model = ConSinGAN.load(path, precision="fp32")
    with tempfile.TemporaryDirectory() as folder:
        start, busy = time.perf_counter(), time.process_time()
        (picture,) = model.sample_tiled(tile, 1, size=size)
        save_bands(picture.bands(), picture.size, Path(folder) / "a.png")
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = peak_memory()
    return {
        "size": f"{size[1]}x{size[0]}", "tile": tile, "arithmetic": "fp32",
        "seconds in tiles": seconds, "peak GiB": peak,
        "processor us per pixel": 1e6 * busy / (size[0] * size[1]),
    }  # fmt: skip


def peak_memory() -> float:
    """Peak resident memory of this process in GiB.

    Linux's status file tells of it alone; `getrusage` also of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    height, width, side = map(int, sys.argv[2:])
    print(json.dumps(large(Path(sys.argv[1]), (height, width), side)))
