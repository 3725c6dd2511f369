"""A model of one picture, and everything that it can draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ConSinGAN import hardware, images
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import EvalConfig
from ConSinGAN.frame import Frame, Window
from ConSinGAN.generators.base import Generator
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.models import Critic
from ConSinGAN.noise import DrawingStreams, Purpose
from ConSinGAN.options import check_value
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.resize import resize

if TYPE_CHECKING:
    from ConSinGAN.modes.base import Mode

OVERSHOOT = 0.05  # by which a resized picture may pass its range


def make_generator(config: TrainConfig, mode: Mode) -> Generator:
    """A fresh one-stage generator for the configuration."""
    return ConSinGANGenerator(**_network(config), batch_norm=config.batch_norm, border=mode.border)


def make_critic(config: TrainConfig) -> Critic:
    """A fresh critic for the configuration."""
    return Critic(**_network(config))


def _network(config: TrainConfig) -> dict[str, object]:
    """What generator and critic have in common."""
    return {
        "num_filters": config.nfc,
        "num_layer": config.num_layer,
        "ker_size": config.ker_size,
        "padding": config.padd_size,
        "image_channels": config.nc_im,
        "activation": config.activation,
        "slope": config.lrelu_alpha,
    }


@dataclass
class ImageModel:
    """A generator with all that it needs to draw: also half-trained, while it grows.

    reals: the pictures of all stages, (1, C, h, w) in [-1, 1]. fixed_noise: the reconstruction's
    input for every stage grown so far. noise_amp: their amplitudes; the first is never used.
    picture_size: (H, W) of the training picture as it was read, if that is known.
    """

    config: TrainConfig
    mode: Mode
    generator: Generator
    reals: list[Tensor]
    fixed_noise: list[Tensor] = field(default_factory=list)
    noise_amp: list[float] = field(default_factory=list)
    picture_size: tuple[int, int] | None = None

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.generator.device

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(h, w) of the stages grown so far."""
        return sizes_of(self.reals[: self.generator.num_stages])

    @property
    def real(self) -> Tensor:
        """The real picture of the last stage."""
        return self.reals[self.generator.num_stages - 1]

    @property
    def picture_shapes(self) -> list[tuple[int, int]]:
        """(h, w) of the training picture: as it was read, if that is known, and as it is drawn."""
        return [size for size in (self.picture_size, self.sizes[-1]) if size is not None]

    @property
    def frame(self) -> Frame:
        """The geometry of a picture of native size, as far as the model is grown."""
        return self.generator.frame(self.sizes)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in this type: torch.float32 or torch.bfloat16."""
        self.generator.dtype = dtype

    @torch.no_grad()
    def draw(self, noise: Sequence[Tensor], frame: Frame | None = None) -> Tensor:
        """The pictures (N, C, h, w) for given noise maps; frame: if not the native one."""
        return self.generator(noise, self.noise_amp, frame or self.frame)

    def reconstruct(self) -> Tensor:
        """The training picture as the model remembers it: (1, C, h, w) in [-1, 1]."""
        return self.draw(self.fixed_noise)

    def scaled_sizes(self, scale_h: float, scale_w: float) -> list[tuple[int, int]]:
        """All stage sizes, scaled and rounded down."""
        return [(max(int(h * scale_h), 1), max(int(w * scale_w), 1)) for h, w in self.sizes]

    def sizes_for(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """The stage sizes that end at exactly `size` (h, w)."""
        height, width = self.sizes[-1]
        return [*self.scaled_sizes(size[0] / height, size[1] / width)[:-1], tuple(size)]

    def latents(
        self, purpose: Purpose, seed: int | Sequence[int], number: int, frame: Frame | None = None
    ) -> list[Tensor]:
        """Noise maps of a random picture, the mode's own input at stage 0.

        They depend on the numbers alone, pixel by pixel, not on what else is drawn.
        """
        frame = frame or self.frame
        streams = DrawingStreams(purpose, seed, number, self.device)
        place = frame.places[0]
        streams.noise.corner = (place.rows.low, place.columns.low)
        real, coarsest = self.reals[0], place.whole_size
        if tuple(real.shape[-2:]) != coarsest:
            real = resize(real, size=coarsest)
        maps = [self.mode.draw_input(real, streams)]
        for stage in range(1, frame.num_stages):
            window = self.generator.noise_window(stage, frame)
            channels = self.generator.noise_channels(stage)
            maps.append(streams.noise.maps(stage, channels, window, self.generator.dtype))
        return maps

    def sample(
        self,
        num: int = 1,
        seed: int | Sequence[int] = 0,
        *,
        scale: tuple[float, float] = (1.0, 1.0),
        size: tuple[int, int] | None = None,
        window: tuple[int, int, int, int] | None = None,
        first: int = 0,
    ) -> Iterator[Tensor]:
        """Draw random pictures, each (1, C, h, w) in [-1, 1], one after the other.

        scale: factors of (height, width); size: an exact (h, w) in pixels instead. window: only
        this part of each, (top, left, height, width) in pixels. Of the endless series that a seed
        (or several numbers) stands for, `num` pictures come from number `first` on: a picture is
        the same whatever else is drawn. Raises UsageError, at once, if an argument is wrong.
        """
        num = check_value(EvalConfig, "num_samples", _plain(num))
        seed = _checked_seed(seed)
        if not (isinstance(first := _plain(first), int) and first >= 0):
            raise UsageError(f"first must be a whole number from 0 on, not {first!r}")
        if size is not None:
            sizes = self.sizes_for(check_value(EvalConfig, "size", _plain_all(size)))
        else:
            factors = _plain_all(scale)
            if not isinstance(factors, tuple) or len(factors) != 2:
                raise UsageError(f"scale takes two factors, (height, width), not {scale!r}")
            names = ("scale_h", "scale_w")
            sizes = self.scaled_sizes(*map(partial(check_value, EvalConfig), names, factors))
        frame = self._frame(sizes, window)
        flag = "size" if size is not None else "scale"
        hardware.check_sample_size(self, frame.places[-1].size, flag)
        return self._sample(range(first, first + num), seed, frame)

    def _frame(
        self, sizes: Sequence[tuple[int, int]], window: tuple[int, int, int, int] | None
    ) -> Frame:
        if window is None:
            return self.generator.frame(sizes)
        numbers = _plain_all(window)
        if not isinstance(numbers, tuple) or [type(n) for n in numbers] != [int] * 4:
            raise UsageError(f"window takes (top, left, height, width) in pixels, not {window!r}")
        try:
            return self.generator.frame(sizes, Window(*numbers))
        except ValueError as error:
            raise UsageError(f"window: {error}") from error

    def _sample(
        self, numbers: Sequence[int], seed: int | Sequence[int], frame: Frame
    ) -> Iterator[Tensor]:
        for number in numbers:  # not in batches: a picture's roundings would depend on their size
            yield self.draw(self.latents(Purpose.SAMPLE, seed, number, frame), frame)

    def animate(
        self,
        num_frames: int = 100,
        start_scale: int = 0,
        alpha: float = 0.1,
        beta: float = 0.9,
        seed: int | Sequence[int] = 0,
        loop: bool = False,
        watch: Callable[[Iterator[np.ndarray]], Iterator[np.ndarray]] = iter,
    ) -> Iterator[np.ndarray]:
        """Walk through noise space around the reconstruction: uint8 (h, w, 3) frames.

        start_scale: stages below it stay still. alpha: pull back to the fixed noise. beta:
        smoothness. loop: the step from the last frame to the first is one like all others;
        the frames come once all are drawn. watch: is put around the frames as they are drawn. See
        `random_walk` and `closed_walk`. Raises UsageError, at once, if an argument is wrong.
        """
        check_value(EvalConfig, "num_frames", num_frames := _plain(num_frames))
        check_value(TrainConfig, "start_scale", start_scale := _plain(start_scale))
        for value in (alpha, beta):
            if not (isinstance(value, (int, float)) and 0 <= value <= 1):
                raise UsageError(f"alpha and beta must be numbers in 0..1, not {value!r}")
        if loop and alpha == 0:
            raise UsageError("a loop needs alpha greater than 0: nothing else closes the walk")
        seed = _checked_seed(seed)
        return self._animate(num_frames, (alpha, beta, start_scale), seed, loop, watch)

    def _animate(
        self,
        num_frames: int,
        how: tuple[float, float, int],
        seed: int | Sequence[int],
        loop: bool,
        watch: Callable[[Iterator[np.ndarray]], Iterator[np.ndarray]],
    ) -> Iterator[np.ndarray]:
        def draws(num: int) -> Iterator[list[Tensor]]:
            return (self.latents(Purpose.FRAME, seed, number) for number in range(num))

        if loop:
            walk = closed_walk(self.fixed_noise, lambda: draws(num_frames), *how)
        else:
            walk = random_walk(self.fixed_noise, draws(num_frames + 1), *how)
        frames = watch(images.to_bytes(self.draw(noise))[0] for noise in walk)
        yield from begin_at_usual_step(list(frames)) if loop else frames

    def harmonize(self, naive: Tensor, mask: Tensor | None = None, seed: int = 0) -> Tensor:
        """Blend what was pasted into `naive`; see `compose`."""
        return self.compose(naive, mask, seed)

    def edit(self, naive: Tensor, mask: Tensor | None = None, seed: int = 0) -> Tensor:
        """Turn a rough edit into a clean picture; see `compose`."""
        return self.compose(naive, mask, seed)

    def compose(self, naive: Tensor, mask: Tensor | None = None, seed: int = 0) -> Tensor:
        """Send a naive picture through the model: (1, C, h, w) in [-1, 1].

        naive: (1, C, H, W) in [-1, 1], of any size with the training picture's aspect ratio.
        mask: (1, 1, H, W) in [0, 1]; outside of it (below one half) the naive picture is kept.
        Raises UsageError if the model was not trained for composites, naive or mask has not that
        shape, or the mask is empty.
        """
        check_picture("naive", naive, self.config.nc_im, low=-1)
        check_aspect("naive", naive, self.picture_shapes, "the training picture")
        if mask is not None:
            check_picture("mask", mask, 1, low=0)
            check_aspect("mask", mask, [tuple(naive.shape[-2:])], "the naive picture")
            if mask.max() < 0.5:
                raise UsageError("--mask: the mask is empty; paint the edited part white")
        return self.blend(naive, mask, check_value(EvalConfig, "seed", _plain(seed)))

    def blend(self, naive: Tensor, mask: Tensor | None = None, seed: int = 0) -> Tensor:
        """`compose` at whatever stage the model is, for pictures that are known to be good."""
        streams = DrawingStreams(Purpose.COMPOSITE, seed, device=self.device)
        coarsest = resize(naive, size=self.sizes[0]).to(self.device)
        noise = [self.mode.naive_input(coarsest, streams), *self.fixed_noise[1:]]
        result = self.draw(noise)
        if mask is None:
            return result
        background = resize(naive, size=self.sizes[-1]).to(self.device)
        return images.composite(background, result, self.soft_mask(mask).to(self.device))

    def soft_mask(self, mask: Tensor) -> Tensor:
        """The mask at the picture's size, grown and blurred as the mode wants it."""
        if tuple(mask.shape[-2:]) != self.sizes[-1]:
            mask = resize(mask, size=self.sizes[-1])
        covered = mask[0, 0].cpu().numpy()  # share of each pixel
        # What is thin or small vanishes when it is shrunk; then its most covered pixels stay.
        edited = covered >= min(0.5, covered.max() / 2)
        return images.soften_mask(edited, self.mode.mask_radius)


def check_picture(what: str, picture: Tensor, channels: int, low: int) -> None:
    """Raise UsageError unless this is (1, channels, H, W), H and W at least 2, in [low, 1]."""
    wanted = f"{what} must be a (1, {channels}, H, W) tensor of numbers in [{low}, 1]"
    if not isinstance(picture, Tensor):
        raise UsageError(f"{wanted}, not {type(picture).__name__}")
    shape = tuple(picture.shape)
    if len(shape) != 4 or shape[:2] != (1, channels) or min(shape[2:]) < 2:
        raise UsageError(f"{wanted}, not of shape {shape}")
    if not picture.is_floating_point():
        raise UsageError(f"{wanted}, not {picture.dtype}")
    darkest, brightest = (float(value) for value in picture.aminmax())
    if not (darkest >= low - OVERSHOOT and brightest <= 1 + OVERSHOOT):  # also if not a number
        raise UsageError(f"{wanted}; this one's go from {darkest:.6g} to {brightest:.6g}")


def check_aspect(what: str, picture: Tensor, shapes: Sequence[tuple[int, int]], whose: str) -> None:
    """Raise UsageError unless the picture (.., H, W) has the shape, at any size, of one (h, w).

    2 % and one pixel more or less allow for rounding at small sizes. what: is compared; whose: the
    first shape is, which the error names.
    """
    height, width = picture.shape[-2:]
    if any(abs(h * width / height - w) <= 1 + 0.02 * w for h, w in shapes):
        return
    raise UsageError(
        f"{what}: its shape {width}x{height} does not fit {whose}, {shapes[0][1]}x{shapes[0][0]} "
        "(width x height); crop it or use the picture that it was made from"
    )


def _checked_seed(seed: object) -> int | list[int]:
    """A seed, or the numbers that make one. Raises UsageError for anything else."""
    seed = _plain_all(_plain(seed))
    if isinstance(seed, tuple):
        return [check_value(EvalConfig, "seed", number) for number in seed]
    return check_value(EvalConfig, "seed", seed)


def _plain(value: object) -> object:
    """A number of numpy or torch as Python's own; anything else as it is."""
    return value.item() if isinstance(value, (np.generic, Tensor)) and value.ndim == 0 else value


def _plain_all(values: object) -> object:
    """`_plain` of all values of a sequence; anything else as it is."""
    if isinstance(values, (tuple, list, np.ndarray, torch.Size)):
        return tuple(_plain(value) for value in values)
    return values


def random_walk(
    fixed: Sequence[Tensor],
    draws: Iterator[Sequence[Tensor]],
    alpha: float,
    beta: float,
    start_scale: int,
) -> Iterator[list[Tensor]]:
    """Noise maps that wander around `fixed`, one list per frame (SinGAN, supplement section 2).

    Per stage, with f fixed and n_k the k-th draw: z_-2 = f, z_-1 = 0.99 f + 0.01 n_0 and
    z_k = alpha f + (1 - alpha) (z_k-1 + beta (z_k-1 - z_k-2) + (1 - beta) n_k+1).
    Stages below `start_scale` are held at f.
    """
    before = list(fixed)
    now = [0.99 * f + 0.01 * n for f, n in zip(fixed, next(draws), strict=True)]
    yield from _walk(fixed, before, now, draws, alpha, beta, start_scale)


def closed_walk(
    fixed: Sequence[Tensor],
    draws: Callable[[], Iterator[Sequence[Tensor]]],
    alpha: float,
    beta: float,
    start_scale: int,
) -> Iterator[list[Tensor]]:
    """As `random_walk`, but the frame after the last one would be the first again.

    draws: gives the same draws, one per frame, whenever it is called. It is called twice: the walk
    is linear, so what one round from f leaves behind tells from where a round ends as it began.
    It has the distribution of an open walk that has long been under way, but for one that has no
    time to wander off. Raises ValueError unless alpha > 0: nothing else calls the walk back.
    """
    if not alpha > 0:
        raise ValueError(f"a closed walk needs alpha > 0, not {alpha}")
    before, now, num = fixed, fixed, 0
    for noise in _walk(fixed, before, now, draws(), alpha, beta, start_scale):
        before, now, num = now, noise, num + 1
    if not num:
        return
    # With d = z - f a frame's (d_k, d_k-1) is `move` times the last one's plus noise.
    move = np.array([[(1 - alpha) * (1 + beta), (alpha - 1) * beta], [1, 0]])
    (a, b), (c, d) = np.linalg.inv(np.eye(2) - np.linalg.matrix_power(move, num)).tolist()
    ends = list(zip(fixed, now, before, strict=True))
    now = [f + a * (z - f) + b * (y - f) for f, z, y in ends]
    before = [f + c * (z - f) + d * (y - f) for f, z, y in ends]
    yield from _walk(fixed, before, now, draws(), alpha, beta, start_scale)


def begin_at_usual_step(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Frames of a round, uint8 (h, w, 3), from another one on, in the same order.

    Pictures do not move as evenly as the noise does. The step that leads from the last frame to
    the first becomes the largest one that is not above the mean.
    """
    steps = [
        int(np.abs(frame.astype(np.int16) - frames[k - 1]).sum(dtype=np.int64))
        for k, frame in enumerate(frames)
    ]
    usual = [k for k, step in enumerate(steps) if step * len(steps) <= sum(steps)]
    first = max(usual, key=steps.__getitem__, default=0)
    return [*frames[first:], *frames[:first]]


def _walk(
    fixed: Sequence[Tensor],
    before: Sequence[Tensor],
    now: Sequence[Tensor],
    draws: Iterator[Sequence[Tensor]],
    alpha: float,
    beta: float,
    start_scale: int,
) -> Iterator[list[Tensor]]:
    """Go on from the noise maps of two frames, `before` and `now`, one step for each draw."""
    for draw in draws:
        walked = [
            alpha * f + (1 - alpha) * (z + beta * (z - y) + (1 - beta) * n)
            for f, y, z, n in zip(fixed, before, now, draw, strict=True)
        ]
        before, now = now, [*fixed[:start_scale], *walked[start_scale:]]
        yield now
