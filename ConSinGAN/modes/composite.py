"""What harmonization and editing share: a picture enters stage 0, a mask guards the rest."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Lazy, Mode, Naive, images

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from ConSinGAN.config import TrainConfig
    from ConSinGAN.evaluation import EvalConfig
    from ConSinGAN.noise import Streams
    from ConSinGAN.results import Results
    from ConSinGAN.sampling import ImageModel

log = logging.getLogger(__name__)

augment = Lazy("ConSinGAN.augment")
sampling = Lazy("ConSinGAN.sampling")

NEARLY_ALL = 0.9  # a mask that is so white may be the wrong way round


class Composite(Mode):
    """Trained on augmented copies of the picture, then shown the naive one."""

    result_name: ClassVar[str] = ""  # stem of the result's file
    mask_radius: ClassVar[int] = 0  # pixels by which the mask is grown

    def augment(self, real: Tensor, streams: Streams) -> Tensor:
        """One augmented copy of the coarsest picture (1, C, h, w)."""
        return real

    def validate(self, config: TrainConfig) -> None:
        if config.fine_tune and config.naive_img is None:
            raise UsageError("--fine_tune needs --naive_img, the picture to fine-tune on")

    def read_naive(self, config: TrainConfig, shapes: Sequence[tuple[int, int]]) -> Naive | None:
        if config.naive_img is None:
            return None
        frame = config.frame if config.fine_tune else None  # else it is that of --input_name
        return load_naive(
            config.naive_img, None, config.nc_im, shapes, config.max_megapixels, frame
        )

    def draw_input(self, real: Tensor, streams: Streams) -> Tensor:
        return augment.one_by_one(lambda picture: self.augment(picture, streams), real)

    def naive_input(self, naive: Tensor, streams: Streams) -> Tensor:
        return naive

    def preview(
        self, model: ImageModel, folder: Path, iteration: int, seed: Sequence[int],
        naive: Naive | None = None,
    ) -> None:  # fmt: skip
        super().preview(model, folder, iteration, seed)
        if naive is None:
            return
        whole = model.blend(naive.picture)
        images.save_image(whole, folder / f"{self.result_name}_{iteration}.png")
        if naive.mask is not None:
            masked = model.blend(naive.picture, naive.mask)
            images.save_image(masked, folder / f"{self.result_name}_w_mask_{iteration}.png")

    def validate_evaluation(self, config: EvalConfig) -> None:
        self.check_loop(config)
        if config.naive_img is None:
            raise UsageError(
                f"--naive_img: a model trained for {self.name} needs a naive picture to work on"
            )

    def evaluate(self, model: ImageModel, config: EvalConfig, results: Results) -> None:
        naive = naive_of(config, model)
        label = Path(config.naive_img).stem[:80]  # a file's name has an end

        def save(image: Tensor, stem: str) -> None:
            images.save_image(image, results.path(f"{stem}.{config.format}"))

        with results:
            if naive.mask is not None:
                masked = model.compose(naive.picture, naive.mask, config.seed)
                save(masked, f"{self.result_name}_w_mask_{label}")
            whole = model.compose(naive.picture, None, config.seed)
            save(whole, f"{self.result_name}_wo_mask_{label}")
            save(model.reals[-1], "real_image")
            save(model.reconstruct(), "reconstruction")

    def pictures(self, model: ImageModel, config: EvalConfig) -> tuple[int, Iterator[Tensor]]:
        naive = naive_of(config, model)
        return 1, iter([model.compose(naive.picture, None, config.seed)])


def naive_of(config: EvalConfig, model: ImageModel) -> Naive:
    """The naive picture that the flags of an evaluation name."""
    return load_naive(
        config.naive_img, config.mask, model.config.nc_im, model.picture_shapes,
        config.max_megapixels, config.frame,
    )  # fmt: skip


def load_naive(
    path: str, mask_path: str | None, channels: int, shapes: Sequence[tuple[int, int]],
    max_megapixels: float, frame: int | None = None,
) -> Naive:  # fmt: skip
    """Read a naive picture and its mask.

    mask_path: if None, the mask beside the picture is taken, if there is one. shapes: (h, w) of the
    training picture, as it was read and at the finest stage. frame: of `path`.
    Raises UsageError if a file cannot be read, its aspect ratio is another or the mask is empty.
    """
    picture = images.read_image(path, channels, "--naive_img", max_megapixels, frame)
    sampling.check_aspect(f"--naive_img {path}", picture, shapes, "the training picture")
    if mask_path is None:
        mask_path = images.find_mask(path)
    if mask_path is None:
        return Naive(picture, None)
    mask = images.read_mask(mask_path, "--mask", max_megapixels)
    shape = tuple(picture.shape[-2:])
    sampling.check_aspect(f"--mask {mask_path}", mask, [shape], "the naive picture")
    white = (mask >= 0.5).double().mean().item()
    if white == 0:
        raise UsageError(f"--mask {mask_path}: the mask is empty; paint the edited part white")
    if white > NEARLY_ALL:
        log.warning(
            "%s: %d %% of the mask is white, and white is what was edited; invert it if it is "
            "the wrong way round", mask_path, 100 * white,
        )  # fmt: skip
    return Naive(picture, mask)
