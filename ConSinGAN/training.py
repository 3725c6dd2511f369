"""Training: grow the generator stage by stage, each against a critic of its own (paper section 3).

One loop serves every mode, objective, fine-tuning and resuming; what differs comes from the state
that training starts in. Who looks at a run, or stops it, is a watcher.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ConSinGAN import averaging, beginning, console, estimate, hardware, images
from ConSinGAN.config import TrainConfig
from ConSinGAN.methods.adversarial import draft_error, has_collapsed
from ConSinGAN.methods.judging import say_what_is_left_out
from ConSinGAN.networks import grow
from ConSinGAN.noise import draw
from ConSinGAN.pyramid import sizes_of
from ConSinGAN.registry import METHODS, TASKS
from ConSinGAN.run import RunDirectory
from ConSinGAN.state import Diverged, TrainingState, make_optimizers, set_learning_rates
from ConSinGAN.watch.base import Moment, Stopped, Watcher
from ConSinGAN.watch.group import Watchers

log = logging.getLogger(__name__)

WORTH_AN_ESTIMATE = 1e13  # products: half a minute on a quick processor
JUDGED = 100  # iterations of a stage from which on it should have learnt something
CHECKS_PER_STAGE = 200  # of the losses, on devices where reading them means waiting
SHEET_SIDE = 200  # pixels of a picture's longer side on a sheet, at least


def train(
    config: TrainConfig, watchers: Sequence[Watcher] = (), path: Path | None = None
) -> RunDirectory:
    """Train a model as configured and return its run directory, which is `path` if that is given.

    Everything that can be wrong with flags and files raises UsageError before anything is written;
    a watcher that stops the run raises Stopped, when a checkpoint is written.
    """
    device, config = beginning.prepare_device(config)
    pictures = beginning.read_pictures(config)
    beginning.check_memory(config, pictures.reals, device)
    state = beginning.begin(config, pictures, device)
    run = RunDirectory.create(
        config, hardware.describe(device), pictures.reals, pictures.naive, pictures.picture,
        pictures.holes, path,
    )  # fmt: skip
    with run.at_work():
        train_stages(state, run, watchers)
    return run


def resume(path: str | Path, config: TrainConfig, watchers: Sequence[Watcher] = ()) -> RunDirectory:
    """Go on with the interrupted run in `path` from its last checkpoint.

    On a processor the result is, to the bit, that of a run that was never interrupted. Raises
    UsageError if the run is in use or damaged beyond its checkpoints, Stopped as `train` does.
    """
    run = RunDirectory.open(path, flag="`resume`")
    if not run.is_finished(config):
        with run.at_work():
            if not run.is_finished(config):  # nor by another process in this moment
                device, config = beginning.prepare_device(config)
                state = beginning.saved_state(config, run, device)
                log.info("resuming at stage %d, iteration %d", state.stage + 1, state.iteration)
                train_stages(state, run, watchers)
                return run
    run.load_model()  # is what is there whole?
    log.info("%s: the run is finished, there is nothing to resume", run.path)
    return run


def train_stages(state: TrainingState, run: RunDirectory, watchers: Sequence[Watcher]) -> None:
    """Train the state's stage and grow until the last one is trained; save as it goes."""
    model, config = state.model, state.config
    log.info("%s on %s, %s: %s", config.train_mode, hardware.describe(model.device),
             config.precision, run.path)  # fmt: skip
    say_how_long(state)
    with Watchers(watchers) as watching:
        while True:
            train_stage(state, run, watching)
            run.save_checkpoint(state)
            run.save_stage(model, state.networks)
            if model.generator.num_stages == config.train_stages:
                break
            grow(state.networks)
            state.iteration, state.optimizers = 0, {}
    pictures = TASKS.load(model.mode.default_task)().sheet(model)
    sheet = images.make_sheet(pictures, columns=4, least=SHEET_SIDE)
    images.save_image(sheet, run.path / "sample_sheet.png")
    run.finish()


def train_stage(state: TrainingState, run: RunDirectory, watching: Watchers) -> None:
    """Train the generator's last stage, and the few below it, for its iterations."""
    model, config = state.model, state.config
    begin_stage(state)
    state.optimizers = state.optimizers or make_optimizers(state.networks, config)
    decay = config.average if state.stage == config.train_stages - 1 else 0.0
    iterate = METHODS.load(config.recipe.method(model.mode.method))(state)
    saved_at = time.monotonic()
    at = Moment(run.path, run.stage(state.stage), state.stage, state.iteration, config, model,
                state.source.naive)  # fmt: skip
    with watching.stage(at):
        while state.iteration < state.niter:
            set_learning_rates(state.optimizers, state.iteration, state.niter, config)
            start_iteration(state)
            terms = iterate(state.source.draw_input(model, state.streams))
            state.iteration += 1
            if decay:
                averaging.update(state.optimizers["generator"], decay, state.iteration)
            due = time.monotonic() - saved_at >= config.checkpoint_seconds
            if model.device.type == "cpu" or due or is_checked(state):
                check_finite(terms, state, run)
            watching.iteration(replace(at, done=state.iteration), terms)
            stop = watching.should_stop()
            if due or stop:
                run.save_checkpoint(state)
                saved_at = time.monotonic()
            if stop:
                raise Stopped(
                    f"interrupted in stage {state.stage + 1}, iteration {state.iteration}; "
                    f"go on with: {run.resume_command()}", stop,
                )  # fmt: skip
    if decay:
        averaging.take(state.optimizers["generator"])
    start_iteration(state)


def begin_stage(state: TrainingState) -> None:
    """Draw the new stage's fixed noise and measure its amplitude, unless that has been done.

    The amplitude is proportional to the error of the reconstruction before the stage is trained.
    """
    model, stage = state.model, state.stage
    start_iteration(state)
    if len(model.fixed_noise) > stage:
        return
    say_what_is_left_out(state)
    if stage == 0:
        model.fixed_noise.append(state.source.fixed_input(model, state.streams))
        model.noise_amp.append(1.0)
        return
    # Stored as it is used: a network that computes in bf16 would round it each time.
    shape, dtype = model.generator.noise_shape(stage, model.frame), model.generator.dtype
    drawn = draw(shape, state.streams.noise, dtype)
    model.fixed_noise.append(model.generator.fixed_noise(drawn))
    model.noise_amp.append(0.0)
    error = draft_error(model)
    model.noise_amp[stage] = model.config.noise_amp * error.sqrt().item()
    if state.config.iterations(stage - 1) >= JUDGED and has_collapsed(model, error):
        log.warning(
            "stage %d has not learnt the picture: one colour would be nearer to it. It hardly ever "
            "recovers; stop, and in a new run take another manualSeed, raise Dsteps%s",
            stage, state.objective.remedy.replace("`", ""),
        )  # fmt: skip


def start_iteration(state: TrainingState) -> None:
    """Tell the generator how far its last stage is; one that is fine-tuned is not new."""
    done = state.niter if state.config.fine_tune else state.iteration
    state.model.generator.start_iteration(done, state.niter)


def say_how_long(state: TrainingState) -> None:
    """Tell how long the run will take from here, if that is worth the seconds to find out."""
    model, config = state.model, state.config
    sizes = model.mode.trained_sizes(sizes_of(model.reals), config)
    wanted = log.isEnabledFor(logging.INFO)
    if wanted and estimate.products(config, sizes) >= WORTH_AN_ESTIMATE:
        speed = estimate.measure(config, model.device, model.generator.dtype)
        seconds = speed.seconds(config, sizes, state.stage, state.iteration)
        log.info("about %s from here to the end", console.in_words(seconds))


def is_checked(state: TrainingState) -> bool:
    """Whether the losses of this iteration are worth waiting for."""
    every = max(1, state.niter // CHECKS_PER_STAGE)
    return state.iteration % every == 0 or state.iteration == state.niter


def check_finite(terms: Mapping[str, Tensor], state: TrainingState, run: RunDirectory) -> None:
    """Raise Diverged if a loss is NaN or infinite."""
    if not bool(torch.stack(list(terms.values())).isfinite().all()):
        raise Diverged(
            f"a loss is not finite in stage {state.stage + 1}, iteration {state.iteration}; lower "
            f"`lr_g` and `lr_d`{state.objective.remedy} or use `precision` fp32 in a new run. "
            f"The last good checkpoint, if any, stays in {run.path}"
        )
