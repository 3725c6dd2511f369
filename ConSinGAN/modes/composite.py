"""What harmonization and editing share: a picture enters stage 0, a mask guards the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Lazy, Mode, images

if TYPE_CHECKING:
    from torch import Tensor

    from ConSinGAN.config import EvalConfig, TrainConfig
    from ConSinGAN.noise import RandomStreams
    from ConSinGAN.sampling import ImageModel

augment = Lazy("ConSinGAN.augment")


class Composite(Mode):
    """Trained on augmented copies of the picture, then shown the naive one."""

    result_name: ClassVar[str] = ""  # stem of the result's file
    mask_radius: ClassVar[int] = 0  # pixels by which the mask is grown

    def augment(self, real: Tensor, streams: RandomStreams) -> Tensor:
        """One augmented copy of the coarsest picture (1, C, h, w)."""
        return real

    def validate(self, config: TrainConfig) -> None:
        if config.fine_tune and config.naive_img is None:
            raise UsageError("--fine_tune needs --naive_img, the picture to fine-tune on")

    def draw_input(self, real: Tensor, streams: RandomStreams) -> Tensor:
        return augment.one_by_one(lambda picture: self.augment(picture, streams), real)

    def naive_input(self, naive: Tensor, streams: RandomStreams) -> Tensor:
        return naive

    def preview(
        self, model: ImageModel, folder: Path, iteration: int, streams: RandomStreams,
        naive: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().preview(model, folder, iteration, streams)
        if naive is None:
            return
        images.save_image(model.compose(naive), folder / f"{self.result_name}_{iteration}.png")
        mask_file = images.find_mask(model.config.naive_img)
        if mask_file is not None:
            masked = model.compose(naive, images.read_mask(mask_file))
            images.save_image(masked, folder / f"{self.result_name}_w_mask_{iteration}.png")

    def validate_evaluation(self, config: EvalConfig) -> None:
        if config.naive_img is None:
            raise UsageError(
                f"--naive_img: a model trained for {self.name} needs a naive picture to work on"
            )

    def evaluate(self, model: ImageModel, config: EvalConfig, folder: Path) -> None:
        naive = read_naive(config.naive_img, model.config.nc_im, model.sizes[-1])
        mask_file = config.mask or images.find_mask(config.naive_img)
        mask = read_mask(mask_file, naive.shape[-2:]) if mask_file else None

        def save(image: Tensor, stem: str) -> None:
            images.save_image(image, folder / f"{stem}.{config.format}")

        if mask is not None:  # first, because an empty mask is an error
            save(model.compose(naive, mask, config.seed), f"{self.result_name}_w_mask")
        save(model.compose(naive, None, config.seed), f"{self.result_name}_wo_mask")
        save(model.reals[-1], "real_image")
        save(model.reconstruct(), "reconstruction")


def read_naive(path: str, channels: int, size: tuple[int, int]) -> Tensor:
    """Read a naive picture for a model whose finest stage has `size` (h, w).

    Raises UsageError if it cannot be read or its aspect ratio is another.
    """
    naive = images.read_image(path, channels, flag="--naive_img")
    _check_aspect(f"--naive_img {path}", naive.shape[-2:], size, "the training picture")
    return naive


def read_mask(path: str | Path, size: tuple[int, int]) -> Tensor:
    """Read the mask of a naive picture of `size` (h, w); UsageError as `read_naive`."""
    mask = images.read_mask(path)
    _check_aspect(f"--mask {path}", mask.shape[-2:], size, "the naive picture")
    if mask.max() < 0.5:
        raise UsageError(f"--mask {path}: the mask is empty; paint the edited part white")
    return mask


def _check_aspect(what: str, got: tuple[int, int], wanted: tuple[int, int], whose: str) -> None:
    """Sizes may differ, shapes may not; 2 % and one pixel allow for rounding at small sizes."""
    width = wanted[0] * got[1] / got[0]
    if abs(width - wanted[1]) > 1 + 0.02 * wanted[1]:
        raise UsageError(
            f"{what}: its shape {got[1]}x{got[0]} does not fit {whose}, {wanted[1]}x{wanted[0]} "
            "(width x height); crop it or use the picture that it was made from"
        )
