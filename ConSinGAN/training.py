"""Training: grow the generator stage by stage, each against a critic of its own (paper section 3).

One loop serves every mode, fine-tuning and resuming; what differs comes from the mode's hooks and
from the state that training starts in.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ConSinGAN import estimate, hardware, images, losses, modes
from ConSinGAN.config import TrainConfig
from ConSinGAN.errors import describe
from ConSinGAN.interrupts import Interrupted, Interrupts
from ConSinGAN.iteration import Iteration
from ConSinGAN.models import Critic
from ConSinGAN.modes.base import NUM_SHEET_SAMPLES, SHEET_SIDE, Naive
from ConSinGAN.monitor import StageMonitor
from ConSinGAN.noise import RandomStreams, draw, draw_maps
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.resize import resize
from ConSinGAN.run import RunDirectory
from ConSinGAN.sampling import ImageModel, make_critic, make_generator
from ConSinGAN.state import (
    Diverged,
    TrainingState,
    check_fits,
    make_optimizers,
    resumed_config,
    set_learning_rates,
)

log = logging.getLogger(__name__)

WORTH_AN_ESTIMATE = 1e13  # products: half a minute on a quick processor


def train(config: TrainConfig) -> RunDirectory:
    """Train a model as configured and return its run directory.

    Everything that can be wrong with flags and files raises UsageError before anything is written.
    """
    device, config = prepare_device(config)
    mode = modes.get(config.train_mode)
    reals, picture = read_pictures(config)
    size = tuple(reals[-1].shape[-2:])
    shapes = [size] if picture is None else [tuple(picture.shape[-2:]), size]
    naive = mode.read_naive(config, shapes)
    hardware.check_training_size(config, size, device)
    state = begin(config, reals, device)
    run = RunDirectory.create(config, hardware.describe(device), reals, naive, picture)
    with run.explaining(), run.lock(), run.logging():
        train_stages(state, run, naive)
    return run


def read_pictures(config: TrainConfig) -> tuple[list[Tensor], Tensor | None]:
    """The real pictures of all stages, and the training picture as it was read.

    Fine-tuning takes those that the run in --model_dir keeps, unless another picture is named.
    """
    if config.fine_tune:
        saved = RunDirectory.open(config.model_dir)
        if config.input_name == saved.load_config().input_name:
            return saved.pictures_for(config)
    picture = images.read_image(
        config.input_name, config.nc_im, max_megapixels=config.max_megapixels,
        frame=None if config.fine_tune else config.frame,  # in fine-tuning that of the naive one
    )  # fmt: skip
    return modes.get(config.train_mode).make_pyramid(picture, config), picture


def resume(path: str | Path, typed: Mapping[str, object]) -> RunDirectory:
    """Go on with the interrupted run in `path` from its last checkpoint.

    On a processor the result is, to the bit, that of a run that was never interrupted.
    typed: options that shall be others from here on; only harmless ones can.
    Raises UsageError if they are not, if the run is in use or damaged beyond its checkpoints.
    """
    run = RunDirectory.open(path, flag="--resume")
    config = resumed_config(run.load_config(), typed)
    if not run.is_finished(config):
        with run.explaining(), run.lock(), run.logging():
            if not run.is_finished(config):  # nor by another process in this moment
                go_on(run, config)
                return run
    run.load_model()  # is what is there whole?
    log.info("%s: the run is finished, there is nothing to resume", run.path)
    return run


def go_on(run: RunDirectory, config: TrainConfig) -> None:
    """Train from the newest good checkpoint on, or from the beginning if there is none."""
    device, config = prepare_device(config)
    reals, naive = run.load_pictures(config)
    hardware.check_training_size(config, tuple(reals[-1].shape[-2:]), device)
    checkpoint = run.load_checkpoint()
    if checkpoint is None:
        state = begin(config, reals, device)
    else:
        check_fits(config, *checkpoint)  # before memory is taken
        state = begin(config, reals, device, fresh=True)
        state.restore(*checkpoint)
    log.info("resuming at stage %d, iteration %d", state.stage + 1, state.iteration)
    train_stages(state, run, naive)


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


def begin(
    config: TrainConfig, reals: list[Tensor], device: torch.device, fresh: bool = False
) -> TrainingState:
    """The state that training starts in: one fresh stage, or a trained model to fine-tune.

    fresh: also in fine-tuning one fresh stage, which a checkpoint will fill.
    """
    mode = modes.get(config.train_mode)
    reals = [real.to(device) for real in reals]
    streams = RandomStreams(config.manualSeed, device)
    if config.fine_tune and not fresh:
        model, critic = begin_fine_tuning(config, reals, streams)
    else:
        torch.manual_seed(config.manualSeed)  # initial weights
        model = ImageModel(config, mode, make_generator(config, mode).to(device), reals)
        critic = make_critic(config).to(device)
    model.generator.dtype = critic.dtype = hardware.select_precision(config.precision, device)
    return TrainingState(model, critic, streams)


def begin_fine_tuning(
    config: TrainConfig, reals: list[Tensor], streams: RandomStreams
) -> tuple[ImageModel, Critic]:
    """The finished model of --model_dir, to be trained on the pictures `reals`."""
    saved = RunDirectory.open(config.model_dir)
    model = saved.load_model(reals[0].device)
    critic = saved.load_critic(model.config, reals[0].device)
    same = [real.shape for real in reals] == [real.shape for real in model.reals]
    model.config, model.reals = config, reals
    if not same:  # another picture: its noise maps have other sizes
        model.fixed_noise = [
            model.mode.fixed_input(reals[0], streams),
            *draw_maps(model.generator.noise_shapes(model.frame)[1:], streams.noise),
        ]
    return model, critic


def train_stages(state: TrainingState, run: RunDirectory, naive: Naive | None) -> None:
    """Train the state's stage and grow until the last one is trained; save as it goes."""
    model, config = state.model, state.model.config
    log.info("%s on %s, %s: %s", config.train_mode, hardware.describe(model.device),
             config.precision, run.path)  # fmt: skip
    say_how_long(state)
    with Interrupts() as interrupts:
        while True:
            train_stage(state, run, interrupts, naive)
            run.save_checkpoint(state)
            run.save_stage(model, state.critic)
            if model.generator.num_stages == config.train_stages:
                break
            model.generator.grow()
            state.iteration, state.optimizers = 0, None
    pictures = [model.reals[-1], model.reconstruct(), *model.sample(NUM_SHEET_SAMPLES)]
    sheet = images.make_sheet(pictures, columns=4, least=SHEET_SIDE)
    images.save_image(sheet, run.path / "sample_sheet.png")
    run.finish()


def say_how_long(state: TrainingState) -> None:
    """Tell how long the run will take from here, if that is worth the seconds to find out."""
    model, config = state.model, state.model.config
    sizes = sizes_of(model.reals)
    wanted = log.isEnabledFor(logging.INFO)
    if wanted and estimate.products(config, sizes) >= WORTH_AN_ESTIMATE:
        speed = estimate.measure(config, model.device, model.generator.dtype)
        seconds = speed.seconds(config, sizes, state.stage, state.iteration)
        log.info("about %s from here to the end", estimate.in_words(seconds))


def train_stage(
    state: TrainingState, run: RunDirectory, interrupts: Interrupts, naive: Naive | None
) -> None:
    """Train the generator's last stage, and the few below it, up to `niter` iterations."""
    model, config, stage = state.model, state.model.config, state.stage
    folder = run.stage(stage)
    begin_stage(model, state.streams)
    state.optimizers = state.optimizers or make_optimizers(model, state.critic, config)
    iterate = Iteration(model, state.critic, state.optimizers, state.streams)
    draw_input = input_source(model, state.streams, naive)
    saved_at = time.monotonic()
    with open_monitor(state, folder) as monitor:
        while state.iteration < config.niter:
            set_learning_rates(state.optimizers, state.iteration, config)
            terms = iterate(draw_input())
            state.iteration += 1
            due = time.monotonic() - saved_at >= config.checkpoint_seconds
            if model.device.type == "cpu" or due or monitor.is_due(state.iteration):
                check_finite(terms, state, run)
            monitor.update(state.iteration, terms)
            if state.iteration % config.preview_every == 0 or state.iteration == config.niter:
                preview(state, folder, naive)
            if due or interrupts.received:
                run.save_checkpoint(state)
                saved_at = time.monotonic()
            if interrupts.received:
                raise Interrupted(
                    interrupts.received,
                    f"interrupted in stage {stage + 1}, iteration {state.iteration}; go on with: "
                    f"{run.resume_command()}",
                )


def preview(state: TrainingState, folder: Path, naive: Naive | None) -> None:
    """Draw what the mode shows of its current state; that this fails is no reason to stop."""
    model = state.model
    seed = [1, model.config.manualSeed, state.stage, state.iteration]
    try:
        model.mode.preview(model, folder, state.iteration, seed, naive)
    except Exception as error:
        reason = describe(error) if isinstance(error, OSError) else str(error).split("\n")[0]
        log.warning("%s: no preview at iteration %d: %s", folder, state.iteration, reason)
        log.debug("the preview's traceback", exc_info=True)


def begin_stage(model: ImageModel, streams: RandomStreams) -> None:
    """Draw the new stage's fixed noise and measure its amplitude, unless that has been done.

    The amplitude is proportional to the error of the reconstruction before the stage is trained.
    """
    stage = model.generator.num_stages - 1
    if len(model.fixed_noise) > stage:
        return
    if stage == 0:
        model.fixed_noise.append(model.mode.fixed_input(model.reals[0], streams))
        model.noise_amp.append(1.0)
        return
    shape = model.generator.noise_shape(stage, model.frame)
    model.fixed_noise.append(draw(shape, streams.noise, model.generator.dtype))
    model.noise_amp.append(0.0)
    factor = model.config.noise_amp
    model.noise_amp[stage] = losses.noise_amplitude(model.reconstruct(), model.real, factor)


def open_monitor(state: TrainingState, folder: Path) -> StageMonitor:
    """Progress and curves of the state's stage."""
    config, size = state.model.config, state.model.sizes[-1]
    stages = (state.stage, config.train_stages)
    return StageMonitor(*stages, size, config.niter, folder, start=state.iteration)


def input_source(
    model: ImageModel, streams: RandomStreams, naive: Naive | None
) -> Callable[[], Tensor]:
    """What enters stage 0 in each iteration: the mode's draw; in fine-tuning the naive picture."""
    if not model.config.fine_tune:
        return lambda: model.mode.draw_input(model.reals[0], streams)
    coarsest = resize(naive.picture, size=model.sizes[0]).to(model.device)
    return lambda: model.mode.naive_input(coarsest, streams)


def check_finite(terms: Mapping[str, Tensor], state: TrainingState, run: RunDirectory) -> None:
    """Raise Diverged if a loss is NaN or infinite."""
    if not bool(torch.stack(list(terms.values())).isfinite().all()):
        raise Diverged(
            f"a loss is not finite in stage {state.stage + 1}, iteration {state.iteration}; lower "
            "--lr_g and --lr_d, raise --lambda_grad or use --precision fp32 in a new run. "
            f"The last good checkpoint, if any, stays in {run.path}"
        )
