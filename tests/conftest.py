"""What several test modules share."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the scripts are modules of the repository's root

# Settings under which a run takes about a second.
TINY = {
    "train_stages": 2, "min_size": 12, "max_size": 24, "nfc": 4, "niter": 2, "not_cuda": True,
    "manualSeed": 1,
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """GPU tests skip by themselves."""
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def paint(height: int = 32, width: int = 48, seed: int = 0) -> np.ndarray:
    """A small colourful picture, uint8 (H, W, 3): smooth gradients, a disc and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    disc = (y - height * 0.4) ** 2 + (x - width * 0.6) ** 2 < (height / 4) ** 2
    planes = [x / width, y / height, 0.5 + 0.4 * np.sin(x / 3 + y / 5)]
    picture = np.stack(planes, axis=2) * 200 + rng.integers(0, 30, (height, width, 3))
    picture[disc] = (230, 60, 40)
    return picture.clip(0, 255).astype(np.uint8)


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    """A small picture on disk, 48x32."""
    path = tmp_path / "picture.png"
    Image.fromarray(paint()).save(path)
    return path
