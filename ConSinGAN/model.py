"""A model of one picture, and everything that it can draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ConSinGAN import images, tiles
from ConSinGAN.checks import check_aspect, check_mask, check_picture, checked_seed, plain, plain_all
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.frame import Frame, Window
from ConSinGAN.generators.base import Generator
from ConSinGAN.holes import Holes
from ConSinGAN.latents import Latents, RandomLatents
from ConSinGAN.modes.animation_options import Options as AnimationMode
from ConSinGAN.noise import DrawingStreams, Near, Purpose, RandomStreams
from ConSinGAN.norms import WholeNorms
from ConSinGAN.options import check_value
from ConSinGAN.pyramid import size_of, sizes_of
from ConSinGAN.resize import resize
from ConSinGAN.tasks.animation_options import Options as Animation
from ConSinGAN.tasks.samples_options import Options as Samples
from ConSinGAN.tiles import TiledPicture
from ConSinGAN.walk import begin_at_usual_step, closed_walk, random_walk

if TYPE_CHECKING:
    from ConSinGAN.modes.base import Mode


Seed = int | Sequence[int]


@dataclass
class ImageModel:
    """A generator with all that it needs to draw: also half-trained, while it grows.

    reals: the pictures of all stages, (1, C, h, w) in [-1, 1]. fixed_noise: the reconstruction's
    input for every stage grown so far. noise_amp: their amplitudes; the first is never used.
    picture_size: (H, W) of the training picture as it was read, if that is known. holes: what of
    the picture was hidden, if anything was. read_picture: reads the training picture, (1, C, H, W)
    on the processor, as it was read, if the run keeps that.
    """

    config: TrainConfig
    mode: Mode
    generator: Generator
    reals: list[Tensor]
    fixed_noise: list[Tensor] = field(default_factory=list)
    noise_amp: list[float] = field(default_factory=list)
    picture_size: tuple[int, int] | None = None
    holes: Holes | None = None
    read_picture: Callable[[], Tensor] | None = None

    def __post_init__(self) -> None:
        self.mode = self.mode.configured(self.config)
        if self.reals:
            self.generator.fit(size_of(self.reals[-1]), self.config)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.generator.device

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(h, w) of the stages grown so far."""
        return sizes_of(self.reals[: self.generator.num_stages])

    @property
    def coarsest(self) -> Tensor:
        """The real picture of stage 0, with as many channels as what enters there."""
        return self.reals[0][:, : self.generator.noise_channels(0)]

    def fixed_input(self, streams: RandomStreams) -> Tensor:
        """The stage-0 input of the reconstruction."""
        if self.generator.remembers_noise:
            return self.mode.draw_input(self.coarsest, streams)
        return self.mode.fixed_input(self.coarsest, streams)

    @property
    def real(self) -> Tensor:
        """The real picture of the last stage."""
        return self.reals[self.generator.num_stages - 1]

    @property
    def hole(self) -> Tensor:
        """What of the last stage's real picture is hidden."""
        return self.hole_at(self.generator.num_stages - 1)

    def hole_at(self, stage: int) -> Tensor:
        """What of a stage's real picture is hidden: (1, 1, h, w) of bools, all False if nothing."""
        if self.holes is not None:
            return self.holes.stages[stage]
        return torch.zeros_like(self.reals[stage][:, :1], dtype=torch.bool)

    @property
    def picture_shapes(self) -> list[tuple[int, int]]:
        """(h, w) of the training picture: as it was read, if that is known, and as it is drawn."""
        return [size for size in (self.picture_size, self.sizes[-1]) if size is not None]

    @property
    def picture(self) -> Tensor:
        """The training picture (1, C, H, W): as it was read, if the run keeps that."""
        return self.reals[-1] if self.read_picture is None else self.read_picture()

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
        frame = self._with_norms(frame or self.frame, len(noise[0]))
        return self.generator(noise, self.noise_amp, frame)

    @torch.no_grad()
    def draft(self) -> Tensor:
        """What the last stage makes of the reconstruction before it has learnt anything."""
        frame = self._with_norms(self.frame, 1)
        return self.generator.draft(self.fixed_noise, self.noise_amp, frame)

    def _with_norms(self, frame: Frame, num: int) -> Frame:
        generator = self.generator
        poor = {torch.bfloat16, torch.float32} if generator.exact_norms else {torch.bfloat16}
        if generator.num_norms and generator.dtype in poor and num == 1:
            return replace(frame, norms=WholeNorms())
        return frame

    def reconstruct(self) -> Tensor:
        """The training picture as the model remembers it: (1, C, h, w) in [-1, 1]."""
        return self.draw(self.fixed_noise)

    def scaled_sizes(self, scale_h: float, scale_w: float) -> list[tuple[int, int]]:
        """All stage sizes, scaled and rounded down."""
        return [(max(int(h * scale_h), 1), max(int(w * scale_w), 1)) for h, w in self.sizes]

    def sizes_for(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """The stage sizes that end at exactly `size` (h, w)."""
        height, width = self.sizes[-1]
        return [*self.scaled_sizes(size[0] / height, size[1] / width)[:-1], (size[0], size[1])]

    def random_latents(
        self, purpose: Purpose, seed: Seed, number: int, start: int = 0,
        given: Tensor | None = None, near: Near | None = None,
    ) -> RandomLatents:  # fmt: skip
        """The noise maps of a random picture, of all or any part of it; see `RandomLatents`.

        start: stages below it stay at the anchor. given: what enters stage 0, if not the mode's
        own, (1, C, h, w) of the drawing's size there. near: the sample that it resembles.
        """

        def streams() -> DrawingStreams:
            if near is not None:
                return DrawingStreams.near(near, seed, number, self.device)
            return DrawingStreams(purpose, seed, number, self.device)

        return RandomLatents(
            self.generator, self.mode, self.coarsest, streams,
            given, self.fixed_noise, self.frame, start,
        )  # fmt: skip

    def latents(
        self, purpose: Purpose, seed: Seed, number: int, frame: Frame | None = None
    ) -> list[Tensor]:
        """Noise maps of a random picture, the mode's own input at stage 0.

        They depend on the numbers alone, pixel by pixel, not on what else is drawn.
        """
        return self.random_latents(purpose, seed, number)(frame or self.frame)

    def draw_tiled(
        self, latents: Latents, frame: Frame, tile: int, window: Window | None = None,
        name: str = "picture",
    ) -> TiledPicture:  # fmt: skip
        """A drawing, or a window of it, in tiles; see `tiles.draw_tiled`."""
        return tiles.draw_tiled(self.generator, self.noise_amp, latents, frame, tile, window, name)

    def drawing(
        self, latents: Latents, frame: Frame, tile: int, name: str = "picture"
    ) -> TiledPicture:
        """A drawing in tiles or, if `tile` is 0, whole and in one; both are read alike."""
        if tile:
            return self.draw_tiled(latents, frame, tile, name=name)
        area = frame.window or Window.all(frame.places[-1])
        return TiledPicture.of(self.draw(latents(frame), frame), area)

    def sample(
        self,
        num: int = 1,
        seed: Seed = 0,
        *,
        scale: tuple[float, float] = (1.0, 1.0),
        size: tuple[int, int] | None = None,
        window: tuple[int, int, int, int] | None = None,
        first: int = 0,
        start_scale: int = 0,
        near: Near | None = None,
    ) -> Iterator[Tensor]:
        """Draw random pictures, each (1, C, h, w) in [-1, 1], one after the other.

        scale: factors of (height, width); size: an exact (h, w) in pixels instead. window: only
        this part of each, (top, left, height, width) in pixels. Of the endless series that a seed
        (or several numbers) stands for, `num` pictures come from number `first` on: a picture is
        the same whatever else is drawn. start_scale: stages below it stay as they are in the
        reconstruction. near: the pictures are neighbours of that sample, a series of its own.
        Raises UsageError, at once, if an argument is wrong.
        """
        frame = self.sample_frame(scale, size, window)
        tiles.choose_tile(self.generator, frame, 0, _size_flag(size))
        # Not in batches: a picture's roundings would depend on their size.
        drawn = self._random(num, seed, first, start_scale, near)
        return (self.draw(latents(frame), frame) for latents in drawn)

    def sample_tiled(
        self,
        tile: int,
        num: int = 1,
        seed: Seed = 0,
        *,
        scale: tuple[float, float] = (1.0, 1.0),
        size: tuple[int, int] | None = None,
        window: tuple[int, int, int, int] | None = None,
        first: int = 0,
        start_scale: int = 0,
        near: Near | None = None,
    ) -> Iterator[TiledPicture]:
        """The pictures of `sample`, in tiles of so many pixels a side: of any size.

        Each is drawn as it is read, and equals the one of `sample` within rounding.
        """
        frame = self.sample_frame(scale, size)
        tile = tiles.choose_tile(self.generator, frame, check_value(Samples, "tile", plain(tile)))
        if not tile:
            raise UsageError("`tile` must be a number of pixels; whole pictures are `sample`'s")
        part = None if window is None else self._window(window, frame)
        drawn = self._random(num, seed, first, start_scale, near)
        return (self.draw_tiled(latents, frame, tile, part) for latents in drawn)

    def sample_frame(
        self,
        scale: tuple[float, float] = (1.0, 1.0),
        size: tuple[int, int] | None = None,
        window: tuple[int, int, int, int] | None = None,
    ) -> Frame:
        """The frame of the pictures of `sample`. Raises UsageError if an argument is wrong."""
        if size is not None:
            sizes = self.sizes_for(check_value(Samples, "size", plain_all(size)))
        else:
            factors = plain_all(scale)
            if not isinstance(factors, tuple) or len(factors) != 2:
                raise UsageError(f"scale takes two factors, (height, width), not {scale!r}")
            names = ("scale_h", "scale_w")
            sizes = self.scaled_sizes(*map(partial(check_value, Samples), names, factors))
        frame = self.generator.frame(sizes)
        if window is None:
            return frame
        try:
            return self.generator.part(frame, self._window(window, frame))
        except ValueError as error:
            raise UsageError(f"`window`: {error}") from error

    def _window(self, window: tuple[int, int, int, int], frame: Frame) -> Window:
        numbers = plain_all(window)
        if not isinstance(numbers, tuple) or [type(n) for n in numbers] != [int] * 4:
            raise UsageError(f"`window` takes (top, left, height, width) in pixels, not {window!r}")
        try:
            Window(*numbers).of(frame.places[-1])
        except ValueError as error:
            raise UsageError(f"`window`: {error}") from error
        return Window(*numbers)

    def _random(
        self, num: int, seed: Seed, first: int, start_scale: int, near: Near | None
    ) -> Iterator[RandomLatents]:
        """The latents of random pictures. Raises UsageError, at once, if an argument is wrong."""
        num = check_value(Samples, "num_samples", plain(num))
        seed = checked_seed(seed)
        first = plain(first)
        if not (isinstance(first, int) and first >= 0):
            raise UsageError(f"first must be a whole number from 0 on, not {first!r}")
        start = check_value(Samples, "start_scale", plain(start_scale))
        if start >= self.generator.num_stages:
            raise UsageError(
                f"`start_scale` {start}: the model has {self.generator.num_stages} stages, "
                "counted from 0"
            )
        numbers = range(first, first + num)
        return (
            self.random_latents(Purpose.SAMPLE, seed, number, start, near=near)
            for number in numbers
        )

    def animate(
        self,
        num_frames: int = 100,
        start_scale: int = 0,
        alpha: float = 0.1,
        beta: float = 0.9,
        seed: Seed = 0,
        loop: bool = False,
        watch: Callable[[Iterator[np.ndarray]], Iterator[np.ndarray]] = iter,
    ) -> Iterator[np.ndarray]:
        """Walk through noise space around the reconstruction: uint8 (h, w, 3) frames.

        start_scale: stages below it stay still. alpha: pull back to the fixed noise. beta:
        smoothness. loop: the step from the last frame to the first is one like all others;
        the frames come once all are drawn. watch: is put around the frames as they are drawn. See
        `random_walk` and `closed_walk`. Raises UsageError, at once, if an argument is wrong.
        """
        check_value(Animation, "num_frames", num_frames := plain(num_frames))
        check_value(AnimationMode, "start_scale", start_scale := plain(start_scale))
        for value in (alpha, beta):
            if not (isinstance(value, (int, float)) and 0 <= value <= 1):
                raise UsageError(f"alpha and beta must be numbers in 0..1, not {value!r}")
        if loop and alpha == 0:
            raise UsageError("a loop needs alpha greater than 0: nothing else closes the walk")
        seed = checked_seed(seed)
        return self._animate(num_frames, (alpha, beta, start_scale), seed, loop, watch)

    def _animate(
        self,
        num_frames: int,
        how: tuple[float, float, int],
        seed: Seed,
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

    def compose(self, naive: Tensor, mask: Tensor | None = None, seed: Seed = 0) -> Tensor:
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
            check_aspect("mask", mask, [size_of(naive)], "the naive picture")
            check_mask("`mask`", mask)
        return self.blend(naive, mask, checked_seed(seed))

    def blend(self, naive: Tensor, mask: Tensor | None = None, seed: Seed = 0) -> Tensor:
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


def _size_flag(size: tuple[int, int] | None) -> str:
    """What to blame if a picture is too large."""
    return "`size`" if size is not None else "`scale_h`/`scale_w`"
