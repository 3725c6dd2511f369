"""What tasks share whose drawings may be drawn in tiles; see `_tile_options`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import PARTWISE

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.frame import Frame
    from ConSinGAN.model import ImageModel
    from ConSinGAN.tiles import TiledPicture


def tile_for(model: ImageModel, frame: Frame, wanted: int | None, flag: str = "`size`") -> int:
    """Pixels a side of the tiles that a drawing needs or is wanted in; 0 for none.

    wanted: the option `tile`. flag: what is to blame for the size. Raises UsageError if the drawing
    shall be whole and does not fit the memory.
    """
    from ConSinGAN import tiles

    return tiles.choose_tile(model.generator, frame, wanted, flag)


def check_tiled(config: EvalConfig) -> None:
    """Raise UsageError if a picture cannot be written in parts in the format that is wanted."""
    if not config.metrics and config.still_format not in PARTWISE:
        raise UsageError(
            f"`format` {config.still_format}: pictures that are drawn in tiles are written as "
            f"{' or '.join(PARTWISE)}"
        )


def whole(picture: Tensor | TiledPicture) -> Tensor:
    """A picture that may be drawn in tiles, (1, C, h, w)."""
    from ConSinGAN.tiles import TiledPicture

    return picture.tensor() if isinstance(picture, TiledPicture) else picture
