"""What harmonization and editing share: a picture enters stage 0, a mask guards the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Lazy, Mode, Naive, images

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    def read_naive(self, config: TrainConfig, size: tuple[int, int]) -> Naive | None:
        if config.naive_img is None:
            return None
        frame = config.frame if config.fine_tune else None  # else it is that of --input_name
        return load_naive(config.naive_img, None, config.nc_im, size, config.max_megapixels, frame)

    def draw_input(self, real: Tensor, streams: RandomStreams) -> Tensor:
        return augment.one_by_one(lambda picture: self.augment(picture, streams), real)

    def naive_input(self, naive: Tensor, streams: RandomStreams) -> Tensor:
        return naive

    def preview(
        self, model: ImageModel, folder: Path, iteration: int, streams: RandomStreams,
        naive: Naive | None = None,
    ) -> None:  # fmt: skip
        super().preview(model, folder, iteration, streams)
        if naive is None:
            return
        whole = model.compose(naive.picture)
        images.save_image(whole, folder / f"{self.result_name}_{iteration}.png")
        if naive.mask is not None:
            masked = model.compose(naive.picture, naive.mask)
            images.save_image(masked, folder / f"{self.result_name}_w_mask_{iteration}.png")

    def validate_evaluation(self, config: EvalConfig) -> None:
        if config.naive_img is None:
            raise UsageError(
                f"--naive_img: a model trained for {self.name} needs a naive picture to work on"
            )

    def evaluate(self, model: ImageModel, config: EvalConfig, folder: Path) -> None:
        naive = naive_of(config, model)
        folder.mkdir(exist_ok=True)

        def save(image: Tensor, stem: str) -> None:
            images.save_image(image, folder / f"{stem}.{config.format}")

        if naive.mask is not None:
            masked = model.compose(naive.picture, naive.mask, config.seed)
            save(masked, f"{self.result_name}_w_mask")
        save(model.compose(naive.picture, None, config.seed), f"{self.result_name}_wo_mask")
        save(model.reals[-1], "real_image")
        save(model.reconstruct(), "reconstruction")

    def pictures(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        naive = naive_of(config, model)
        return 1, iter([model.compose(naive.picture, None, config.seed)])


def naive_of(config: EvalConfig, model: ImageModel) -> Naive:
    """The naive picture that the flags of an evaluation name."""
    return load_naive(
        config.naive_img, config.mask, model.config.nc_im, model.sizes[-1], config.max_megapixels,
        config.frame,
    )  # fmt: skip


def load_naive(
    path: str, mask_path: str | None, channels: int, size: tuple[int, int], max_megapixels: float,
    frame: int | None = None,
) -> Naive:  # fmt: skip
    """Read a naive picture and its mask for a model whose finest stage has `size` (h, w).

    mask_path: if None, the mask beside the picture is taken, if there is one. frame: of `path`.
    Raises UsageError if a file cannot be read, its aspect ratio is another or the mask is empty.
    """
    picture = images.read_image(path, channels, "--naive_img", max_megapixels, frame)
    _check_aspect(f"--naive_img {path}", picture.shape[-2:], size, "the training picture")
    if mask_path is None:
        mask_path = images.find_mask(path)
    if mask_path is None:
        return Naive(picture, None)
    mask = images.read_mask(mask_path, "--mask", max_megapixels)
    _check_aspect(f"--mask {mask_path}", mask.shape[-2:], picture.shape[-2:], "the naive picture")
    if mask.max() < 0.5:
        raise UsageError(f"--mask {mask_path}: the mask is empty; paint the edited part white")
    return Naive(picture, mask)


def _check_aspect(what: str, got: tuple[int, int], wanted: tuple[int, int], whose: str) -> None:
    """Sizes may differ, shapes may not; 2 % and one pixel allow for rounding at small sizes."""
    width = wanted[0] * got[1] / got[0]
    if abs(width - wanted[1]) > 1 + 0.02 * wanted[1]:
        raise UsageError(
            f"{what}: its shape {got[1]}x{got[0]} does not fit {whose}, {wanted[1]}x{wanted[0]} "
            "(width x height); crop it or use the picture that it was made from"
        )
