"""Where training begins: the device, the pictures, and the first or the saved state."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ConSinGAN import hardware, images, modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.critics.augmentation import Augmentation
from ConSinGAN.errors import UsageError
from ConSinGAN.holes import Holes, filled_picture
from ConSinGAN.methods.judging import clear_of_hole
from ConSinGAN.methods.windows import check_windows
from ConSinGAN.model import ImageModel
from ConSinGAN.naive import Naive
from ConSinGAN.networks import (
    chance_of,
    generator_of,
    make_critic,
    make_networks,
    make_objective,
    set_dtype,
)  # fmt: skip
from ConSinGAN.noise import RandomStreams, draw_maps
from ConSinGAN.pyramid import size_of, sizes_of, window_sizes
from ConSinGAN.registry import CRITICS, GENERATORS, SOURCES
from ConSinGAN.run import RunDirectory
from ConSinGAN.sources.base import Source
from ConSinGAN.sources.single import FineTuning
from ConSinGAN.state import TrainingState, check_fits


@dataclass(frozen=True)
class Pictures:
    """What a run is about, on the processor.

    reals: of all stages, (1, C, h, w) in [-1, 1]. picture: as it was read, if that is known. holes:
    what of them is hidden, if anything is; in all pictures it is filled.
    """

    reals: list[Tensor]
    naive: Naive | None
    picture: Tensor | None = None
    holes: Holes | None = None


def prepare_device(config: TrainConfig) -> tuple[torch.device, TrainConfig]:
    """Choose the device; write its number of threads and best precision into the configuration.

    A run that goes on with other threads adds up in another order.
    """
    hardware.tune()
    hardware.set_threads(config.threads)
    device = hardware.select_device(config)
    dtype = hardware.select_precision(config.precision, device)
    return device, dataclasses.replace(
        config, precision=hardware.PRECISION_NAMES[dtype], threads=torch.get_num_threads()
    )


def read_pictures(config: TrainConfig) -> Pictures:
    """The pictures of a new run.

    Fine-tuning takes those that the run in --model_dir keeps, unless another picture is named.
    Raises UsageError naming the flag or file.
    """
    reals, picture, holes = read_training_picture(config)
    size = size_of(reals[-1])
    shapes = [size] if picture is None else [size_of(picture), size]
    return Pictures(reals, modes.get(config.train_mode).read_naive(config, shapes), picture, holes)


def read_training_picture(
    config: TrainConfig,
) -> tuple[list[Tensor], Tensor | None, Holes | None]:
    """The real pictures of all stages, the training picture as it was read, and its hole."""
    if config.fine_tune:
        saved = RunDirectory.open(str(config.model_dir))
        if config.input_name == saved.load_config().input_name:
            return *saved.pictures_for(config), None
    picture = images.read_image(
        config.input_name, config.nc_im, max_megapixels=config.max_megapixels,
        frame=None if config.fine_tune else config.frame,  # in fine-tuning that of the naive one
    )  # fmt: skip
    mode = modes.get(config.train_mode)
    hole = mode.read_hole(config, picture)
    if hole is None:
        return mode.make_pyramid(picture, config), picture, None
    picture = filled_picture(picture, hole)  # from here on nothing can depend on what it hid
    reals = mode.make_pyramid(picture, config)
    holes = Holes.of(hole, config.train_stages, config.min_size, config.max_size,
                     config.recipe.spacing(mode.spacing))  # fmt: skip
    check_something_clear(config, holes)
    check_something_known(config, holes)
    return reals, picture, holes


def picture_size(config: TrainConfig) -> tuple[int, int]:
    """(H, W) of the training picture; what reading it has to say is said when it is trained on."""
    package = logging.getLogger("ConSinGAN")
    level = package.level
    package.setLevel(logging.CRITICAL)
    try:
        reals, picture, _ = read_training_picture(config)
    finally:
        package.setLevel(level)
    return size_of(reals[-1] if picture is None else picture)


def with_stages_counted(config: TrainConfig) -> TrainConfig:
    """The configuration with as many stages as its generator, which counts, wants of the picture.

    Raises UsageError as reading does, or if they are too many.
    """
    number = config.recipe.num_stages(picture_size(config), config)
    return dataclasses.replace(config, train_stages=number)


def check_something_clear(config: TrainConfig, holes: Holes) -> None:
    """Raise UsageError if the critic sees the hole wherever it looks at the finest stage."""
    Augmentation.of(config).check_holes()
    with torch.device("meta"):
        critic, objective = make_critic(config), make_objective(config)
    if all(clear.is_empty for clear in clear_of_hole(objective, critic, holes.stages[-1])):
        raise UsageError(
            "`mask`: wherever the critic looks at the finest stage, it sees some of the white; "
            "paint less of it white"
            + (", or raise `max_size`" if holes.whole.shape != holes.stages[-1].shape else "")
        )


def check_something_known(config: TrainConfig, holes: Holes) -> None:
    """Raise UsageError if nothing of the coarsest picture is known beside the hole."""
    if bool(holes.stages[0].all()):
        raise UsageError(
            f"`mask`: of the picture, reduced to `min_size` {config.min_size}, every pixel has "
            "some of the white in it; paint less of it white, or raise `min_size`"
        )


def check_memory(config: TrainConfig, reals: Sequence[Tensor], device: torch.device) -> None:
    """Tell how much memory a large run will take; UsageError if the device has less."""
    sizes = modes.get(config.train_mode).trained_sizes(sizes_of(reals), config)
    size = window_sizes(sizes, config.train_window, config.reach)[-1]
    needed = GENERATORS.load(config.generator).training_memory(config, size)
    needed += CRITICS.load(config.critic).more_memory(config, size)
    hardware.check_training_size(needed, config.max_size, size, device)


def begin(config: TrainConfig, pictures: Pictures, device: torch.device) -> TrainingState:
    """The state that training starts in: one fresh stage, or a trained model to fine-tune."""
    if not config.fine_tune:
        return fresh(config, pictures, device)
    reals = [real.to(device) for real in pictures.reals]
    saved = RunDirectory.open(str(config.model_dir))
    model = saved.load_model(device)
    critic, objective = saved.load_judge(config, device)
    networks = {"generator": model.generator, "critic": critic, "objective": objective}
    streams = _streams(config, networks, device)
    same = [real.shape for real in reals] == [real.shape for real in model.reals]
    model.config, model.reals = config, reals
    model.generator.fit(size_of(reals[-1]), config)
    if not same:  # another picture: its noise maps have other sizes
        shapes = model.generator.noise_shapes(model.frame)
        first, drawn = model.fixed_input(streams), draw_maps(shapes[1:], streams.noise)
        model.fixed_noise = [first, *map(model.generator.fixed_noise, drawn)]
    return _state(model, networks, streams, pictures.naive)


def fresh(config: TrainConfig, pictures: Pictures, device: torch.device) -> TrainingState:
    """A state with one fresh stage, which in fine-tuning a checkpoint will fill."""
    reals = [real.to(device) for real in pictures.reals]
    made = make_networks(config, seed=config.manualSeed)
    networks = {name: network.to(device) for name, network in made.items()}
    mode = modes.get(config.train_mode)
    model = ImageModel(config, mode, generator_of(networks), reals)
    model.holes = None if pictures.holes is None else pictures.holes.to(device)
    return _state(model, networks, _streams(config, networks, device), pictures.naive)


def saved_state(config: TrainConfig, run: RunDirectory, device: torch.device) -> TrainingState:
    """The newest good checkpoint of a run, or the run's beginning if there is none."""
    reals, naive = run.load_pictures(config)
    pictures = Pictures(reals, naive, holes=run.load_holes(config, reals))
    check_memory(config, reals, device)
    checkpoint = run.load_checkpoint()
    if checkpoint is None:
        return begin(config, pictures, device)
    check_fits(config, *checkpoint)  # before memory is taken
    state = fresh(config, pictures, device)
    state.restore(*checkpoint)
    return state


def _streams(
    config: TrainConfig, networks: dict[str, torch.nn.Module], device: torch.device
) -> RandomStreams:
    return RandomStreams(config.manualSeed or 0, device, chance_of(config, networks))


def _state(
    model: ImageModel,
    networks: dict[str, torch.nn.Module],
    streams: RandomStreams,
    naive: Naive | None,
) -> TrainingState:
    set_dtype(networks, hardware.select_precision(model.config.precision, model.device))
    source: Source = SOURCES.load(model.mode.source)(model.config, naive)
    if model.config.fine_tune and naive is not None:
        source = FineTuning(model.config, naive)
    check_windows(model.config, model.generator)
    return TrainingState(model, networks, streams, source)
