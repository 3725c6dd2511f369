"""Where drawings lie: whole pictures, parts, canvases, and planes that repeat."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ConSinGAN.frame import Axis, Frame, Place, Window, interpolation
from ConSinGAN.generators.consingan import ConSinGANGenerator
from ConSinGAN.latents import noise_of
from ConSinGAN.layers import NetworkShape
from ConSinGAN.noise import Field
from ConSinGAN.resize import Interpolation, interpolate, upsample

AMPLITUDES = [1.0, 0.4, 0.4]


def strong(border: str) -> ConSinGANGenerator:
    """Three stages whose pictures show everything that goes into them."""
    torch.manual_seed(0)
    generator = ConSinGANGenerator(NetworkShape(4), border=border)
    for _ in range(2):
        generator.grow()
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, 0, 0.25)
    return generator


def field_noise(generator: ConSinGANGenerator, frame: Frame) -> list[Tensor]:
    field = Field([1])
    windows = [generator.noise_window(i, frame) for i in range(len(frame.places))]
    return [field.maps(i, generator.noise_channels(i), w) for i, w in enumerate(windows)]


@torch.no_grad()
def draw(generator: ConSinGANGenerator, frame: Frame) -> Tensor:
    return generator(field_noise(generator, frame), AMPLITUDES, frame)


@pytest.mark.parametrize(("num_in", "num_out"), [(5, 9), (1, 4), (6, 1), (31, 53), (7, 7)])
def test_whole_axes_are_interpolated_corner_to_corner(num_in: int, num_out: int) -> None:
    ours = interpolation(Axis.around(num_in), Axis.around(num_out))
    assert (ours.matrix() == Interpolation.whole(num_in, num_out).matrix()).all()


def test_half_pixel_centres_are_a_case() -> None:
    """Pixel i of n at (i + 1/2) / n: torch's interpolation without aligned corners."""

    def centred(num: int) -> Axis:
        return Axis(num, 0, num, Fraction(1, 2 * num), Fraction(1, num), num)

    x = torch.rand(1, 2, 9, 11, dtype=torch.float64)
    rows, columns = (interpolation(centred(n), centred(m)) for n, m in ((9, 14), (11, 29)))
    theirs = F.interpolate(x, (14, 29), mode="bicubic", align_corners=False)
    torch.testing.assert_close(interpolate(x, rows, columns), theirs)


def test_inputs_that_are_missing_are_an_error() -> None:
    part = Interpolation(10, 0.5, 4, 8, 3, 4)
    with pytest.raises(ValueError, match="not there"):
        part.matrix()


def test_interpolation_is_differentiable_as_often_as_one_likes() -> None:
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda t: upsample(t, (9, 8)) ** 3, x)


@pytest.mark.parametrize("border", ["noise", "zeros"])
def test_a_canvas_grows_around_the_picture(border: str) -> None:
    """In the picture's middle, which its borders do not reach, nothing changes."""
    generator, sizes = strong(border), [(60, 64), (80, 85), (100, 107)]
    picture = draw(generator, generator.frame(sizes))
    canvas = draw(generator, Frame.around(sizes, (0.5, 0.0, 0.25, 0.3), border))
    assert canvas.shape[2:] == (150, 107 + 27 + 33)
    there = canvas[..., 50:150, 27:134]
    middle = (..., slice(35, 65), slice(35, 72))
    torch.testing.assert_close(there[middle], picture[middle], rtol=0, atol=1e-4)
    assert picture[middle].std() > 0.1
    assert not torch.allclose(there[..., :3, :], picture[..., :3, :], atol=1e-2)


def test_a_drawing_that_wraps_has_no_border() -> None:
    """Shifting all noise by a period's part shifts the picture."""
    generator = strong("wrap")
    frame = generator.frame([(8, 10), (16, 20), (32, 40)])
    noise = field_noise(generator, frame)
    moved = [z.roll((2 * 2**i, 3 * 2**i), dims=(2, 3)) for i, z in enumerate(noise)]
    with torch.no_grad():
        picture, other = (generator(z, AMPLITUDES, frame) for z in (noise, moved))
    torch.testing.assert_close(other, picture.roll((8, 12), dims=(2, 3)), rtol=0, atol=1e-4)
    assert picture.std() > 0.1


@pytest.mark.parametrize("window", [(0, 0, 9, 8), (50, 60, 10, 21), (20, 0, 7, 81), (3, 4, 50, 9)])
def test_parts_of_a_drawing_that_wraps(window: tuple[int, int, int, int]) -> None:
    """Their stages reach around the seam, or are whole where they are small."""
    generator = strong("wrap")
    whole = generator.frame([(12, 16), (30, 40), (60, 81)])
    part = generator.part(whole, Window(*window))
    latents = [noise_of(generator, Field([1]), part, stage) for stage in range(3)]
    with torch.no_grad():
        drawn = generator(latents, AMPLITUDES, part)
    top, left, height, width = window
    there = draw(generator, whole)[..., top : top + height, left : left + width]
    torch.testing.assert_close(drawn, there, rtol=0, atol=1e-4)


def test_windows_become_places() -> None:
    whole = Place(Axis.around(10, before=2), Axis.around(20))
    part = Window(-2, 5, 3, 15).of(whole)
    assert part.size == (3, 15)
    assert not part.is_whole
    assert whole.is_whole
    with pytest.raises(ValueError, match="inside"):
        Window(-3, 5, 3, 15).of(whole)
