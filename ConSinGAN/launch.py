"""The front door of training and resuming: layers of options become one configuration.

Weakest first: the options' own defaults < the mode's < the run to fine-tune < those of generator,
critic and objective (of what the run does not have) < `--preset` < what chosen components need <
`--config` < typed flags. Torch is loaded when all of them are known to be good.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import secrets
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ConSinGAN import migrate, modes, saved, swapping
from ConSinGAN.config import FAMILIES, SCHEMA, TrainConfig, check_device
from ConSinGAN.errors import UsageError
from ConSinGAN.modes.base import Mode
from ConSinGAN.options import FileValues, Scope, add_verbosity, read_yaml
from ConSinGAN.registry import PRESETS
from ConSinGAN.swapping import PARTS

if TYPE_CHECKING:
    from ConSinGAN.run import RunDirectory
    from ConSinGAN.watch.base import Watcher

log = logging.getLogger(__name__)

LAYERS = ("config", "preset", "draft")  # what may be typed beside options


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """All flags of training, with the defaults of every mode in their help."""
    special = {mode.name: mode.defaults for mode in modes.all_modes()}
    for family in PARTS.values():
        special |= {f"{family.option} {n}": c.defaults for n, c in family.components.items()}
    special["fine-tuning"] = Mode.fine_tune_defaults
    parser = SCHEMA.make_parser(description or "", special)
    parser.add_argument("--config", metavar="FILE", help="YAML file of option values")
    presets = "; ".join(f"{name}: {c.summary}" for name, c in PRESETS.components.items())
    parser.add_argument("--preset", choices=PRESETS.names(), help=presets)
    parser.add_argument("--draft", action="store_true", help="the same as --preset draft")
    add_verbosity(parser)
    return parser


def train(
    flags: Mapping[str, Any], watchers: Sequence[Watcher] = (), path: Path | None = None
) -> RunDirectory:
    """Train a model; flags: options by name, and `config`, `preset` or `draft`.

    path: where the run directory shall be, if not in a new folder below `output_dir`. Raises
    UsageError, with one line that names the flag or file, before anything is written.
    """
    config = prepare(flags)
    from ConSinGAN import training

    return training.train(config, watchers, path)


def resume(
    path: str | Path, typed: Mapping[str, Any], watchers: Sequence[Watcher] = ()
) -> RunDirectory:
    """Go on with the interrupted run in `path`; typed: options that shall be others from here on.

    Raises UsageError if they are not harmless, or if the run is in use or damaged.
    """
    for name in LAYERS:
        if typed.get(name) not in (None, False):
            raise UsageError(f"`resume` takes its options from the run: leave `{name}` away")
    typed = {name: value for name, value in typed.items() if name not in LAYERS}
    config = resumed(saved.read_config(saved.locate(path, "`resume`")), typed)
    from ConSinGAN import training

    return training.resume(path, config, watchers)


# Configurations -------------------------------------------------------------------------------


def configure(flags: Mapping[str, Any]) -> TrainConfig:
    """The whole configuration that typed flags stand for, with a seed.

    In fine-tuning `input_name` is that of the run, to the letter, unless another one was typed.
    A preset may take a few timed iterations to choose. Raises UsageError.
    """
    return _configure(flags, counting=False)


def prepare(flags: Mapping[str, Any]) -> TrainConfig:
    """As `configure`, with as many stages as the generator wants of the picture, if it counts."""
    return _configure(flags, counting=True)


def with_stages(config: TrainConfig, said: Container[str]) -> TrainConfig:
    """The configuration, its stages counted if they are not among the options that were said."""
    if "train_stages" in said or config.fine_tune or not config.recipe.counts_stages:
        return config
    from ConSinGAN import beginning

    return beginning.with_stages_counted(config)


def _configure(flags: Mapping[str, Any], counting: bool) -> TrainConfig:
    flags = dict(flags)
    file, preset = flags.pop("config", None), _preset_name(flags)
    values = FileValues({}, {}) if file is None else read_file(file, flags)
    typed = {**values, **flags}
    of_run = None
    if typed.get("fine_tune") and typed.get("model_dir") is not None:
        of_run = saved.read_config(saved.locate(typed["model_dir"]))
    seeded = dict(flags)
    if typed.get("manualSeed") is None:  # one for all configurations that a preset looks at
        seeded["manualSeed"] = secrets.randbelow(2**31)

    def with_preset(chosen: Mapping[str, Any]) -> TrainConfig:
        config = _finish(resolve(seeded, of_run, values, chosen, str(file or "")), of_run, flags)
        counted = counting or preset is not None
        return with_stages(config, {**typed, **chosen}) if counted else config

    of_preset = {} if preset is None else PRESETS.load(preset)().choose(with_preset)
    config = with_preset(of_preset)
    _say_what_was_needed(config, typed, of_run)
    _say_what_has_no_use(config, flags, of_preset)
    return config


def _say_what_was_needed(
    config: TrainConfig, typed: Mapping[str, Any], of_run: TrainConfig | None
) -> None:
    """Tell which components were chosen for others' sake."""
    for by, option, name in SCHEMA.needs(SCHEMA.chosen(SCHEMA.flat(config))):
        if option not in typed and getattr(of_run, option, None) != name:
            log.info("%s %s, which %s needs", option, name, by.replace("`", ""))


def _say_what_has_no_use(
    config: TrainConfig, flags: Mapping[str, Any], of_preset: Mapping[str, Any]
) -> None:
    """Tell what was typed for nothing: who judges where nobody does, and other idle options."""
    idle = dict(config.recipe.idle(config))
    if not modes.get(config.train_mode).adversarial_weight(config, config.train_stages - 1):
        more = "; --adversarial 1 adds one" if "adversarial" in SCHEMA.flat(config) else ""
        kinds = ("critic", "objective")
        judging = [*(FAMILIES[kind].option for kind in kinds), "augment_critic"]
        judging += [name for name, owned in SCHEMA.options.items() if owned.kind in kinds]
        idle |= dict.fromkeys(judging, f"there is no adversarial loss{more}")
    for why in dict.fromkeys(idle.values()):
        names = [f"--{name}" for name, reason in idle.items() if reason == why and name in flags]
        if names:
            log.warning("%s: of no use here, where %s", ", ".join(names), why)
    for option in (family.option for family in PARTS.values()):
        chosen = getattr(config, option)
        if option not in flags and of_preset.get(option, chosen) != chosen:
            log.warning("%s %s, not the preset's %s", option, chosen, of_preset[option])


def _preset_name(flags: dict[str, Any]) -> str | None:
    """Take the preset out of the flags."""
    name, draft = flags.pop("preset", None), flags.pop("draft", None)
    if draft and name not in (None, "draft"):
        raise UsageError(f"`preset` {name}: `draft` stands for `preset` draft; leave one away")
    name = "draft" if draft else name
    return None if name is None else PRESETS.find(name).name


def read_file(path: str | Path, flags: Mapping[str, Any]) -> FileValues:
    """The values of a --config file, each known to be possible.

    A run writes down all that its components have; where flags choose others, that is no mistake.
    """
    written = read_yaml(path)
    values = migrate.to_current(written, str(path))
    SCHEMA.check(values, str(path))
    if not migrate.is_of_a_run(written):
        return values
    wanted = swapping.wanted(flags)
    values = swapping.without_moved(values, wanted)
    return migrate.without_strangers(values, {**flags, **wanted})


def resolve(
    flags: Mapping[str, Any],
    of_run: TrainConfig | None = None,
    file: Mapping[str, Any] | None = None,
    preset: Mapping[str, Any] | None = None,
    source: str = "",
) -> TrainConfig:
    """Lay the layers over each other and check the result as a whole.

    flags: what was typed. of_run: the configuration of the run to fine-tune, if any. file, source:
    the values of the --config file. Raises UsageError with one line that names the flag.
    """
    typed = SCHEMA.check({**(file or {}), **flags})
    inherited: dict[str, Any] = {}
    if of_run is not None:
        inherited = _inherited(of_run, typed)
        moved = swapping.moved(inherited, swapping.wanted(typed))
        inherited = {
            n: v for n, v in inherited.items() if n not in moved or swapping.is_architecture(n)
        }
        preset = swapping.suiting(preset or {}, inherited)
        typed.setdefault("train_mode", of_run.train_mode)
    mode = modes.get(typed.get("train_mode", TrainConfig.train_mode))
    weak = [mode.defaults, inherited, mode.fine_tune_defaults if typed.get("fine_tune") else {}]
    fixed = dict.fromkeys(typed, "this is")
    if of_run is not None:
        held = "the model in `model_dir` has"
        fixed |= {name: held for name in inherited if swapping.is_architecture(name)}
    weak.insert(2, {})
    for _ in range(2):  # a generator's defaults may choose a critic, which has some, too
        layers = [*weak, preset or {}, typed]
        needed = SCHEMA.needed(*layers, fixed=fixed)
        chosen = SCHEMA.chosen(*layers, needed)
        weak[2] = swapping.defaults_of_parts(chosen, inherited)
    SCHEMA.check_owners({k: v for k, v in flags.items() if k in SCHEMA.options}, chosen)
    SCHEMA.check_owners(file or {}, chosen, source)
    config = SCHEMA.build(*weak, preset or {}, needed, typed=typed)
    _check_whole(config)
    _check_naive(config, mode)
    mode.validate(config)
    config.recipe.check(config, mode)
    return config


def _check_naive(config: TrainConfig, mode: Mode) -> None:
    """Raise UsageError if the mode has no use for a naive picture that it is given."""
    if mode.takes_naive or not (config.fine_tune or config.naive_img is not None):
        return
    others = " and ".join(m.name for m in modes.all_modes() if m.takes_naive)
    what = "has no use for it" if not config.fine_tune else "has no fine-tuning"
    flag = "`naive_img`" if not config.fine_tune else "`fine_tune`"
    raise UsageError(f"{flag}: `train_mode` {mode.name} {what}; {others} have")


def _scope(name: str) -> Scope:
    return SCHEMA.options[name].scope(name)


def _inherited(of_run: TrainConfig, typed: Mapping[str, Any]) -> dict[str, Any]:
    """What fine-tuning takes over from a run. Raises UsageError if flags contradict it."""
    flat = SCHEMA.flat(of_run)
    mode = typed.get("train_mode", of_run.train_mode)
    if mode != of_run.train_mode:
        raise UsageError(
            f"`model_dir`: the model was trained for {of_run.train_mode}, "
            f"not for `train_mode` {mode}"
        )
    for name, value in flat.items():
        if swapping.is_architecture(name) and typed.get(name, value) != value:
            raise UsageError(
                f"`{name}` {typed[name]}: the model in `model_dir` was trained with {value}; "
                "leave it away or train a new model"
            )
    handed_on = (Scope.ARCHITECTURE, Scope.TRAINING)
    return {name: value for name, value in flat.items() if _scope(name) in handed_on}


def _finish(
    config: TrainConfig, of_run: TrainConfig | None, typed: Mapping[str, Any]
) -> TrainConfig:
    """The configuration with a seed, and with the training picture where it can be found."""
    if config.manualSeed is None:
        config = dataclasses.replace(config, manualSeed=secrets.randbelow(2**31))
    if of_run is not None and config.input_name == of_run.input_name:
        if typed.get("input_name") is None:
            return config
        # Typed, so from here, even if the run's picture had that name where it was trained.
        return dataclasses.replace(config, input_name=str(Path(config.input_name).absolute()))
    bundled = Path(__file__).resolve().parent.parent / config.input_name
    if not _is_file(config.input_name) and _is_file(bundled):  # in another folder
        config = dataclasses.replace(config, input_name=str(bundled))
    return config


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name too long, say
        return False


def resumed(config: TrainConfig, typed: Mapping[str, Any]) -> TrainConfig:
    """A run's configuration with harmless options as typed.

    Raises UsageError, naming the flag, if another option differs from the run's.
    """
    typed = SCHEMA.check(typed)
    SCHEMA.check_owners(typed, SCHEMA.chosen(SCHEMA.flat(config), typed))
    flat = SCHEMA.flat(config)
    if config.threads is not None and typed.get("threads", config.threads) != config.threads:
        log.info(
            "--threads %s, not %s as before: the result may differ, within rounding, from that of "
            "a run that was not interrupted", typed["threads"], config.threads,
        )  # fmt: skip
    changeable = (Scope.HARMLESS, Scope.ROUNDING)
    for name, value in typed.items():
        if _scope(name) not in changeable and value != flat.get(name):
            hint = " (fine-tuning goes on with a finished model)" if name == "niter" else ""
            raise UsageError(
                f"`{name}` {value}: the run in `resume` has {flat.get(name)}, and that cannot "
                f"change on the way; start a new run{hint}"
            )
    changed = {name: v for name, v in typed.items() if _scope(name) in changeable}
    return SCHEMA.build(flat | changed)


def _check_whole(config: TrainConfig) -> None:
    """Check what no single field can tell."""
    if config.ker_size % 2 == 0:
        raise UsageError(f"`ker_size` must be odd, not {config.ker_size}")
    if config.padd_size > config.ker_size // 2:
        raise UsageError(
            f"`padd_size` must be at most {config.ker_size // 2} for `ker_size` {config.ker_size}, "
            f"not {config.padd_size}"
        )
    if config.min_size < config.critic_field:
        raise UsageError(
            f"`min_size` must be at least {config.critic_field}, not {config.min_size}: so many "
            "pixels the critic's convolutions see (fewer with a smaller `num_layer` or `ker_size`)"
        )
    if config.nc_im == 2:
        raise UsageError("`nc_im` must be 3 (colour) or 1 (grey), not 2")
    if config.max_size < config.min_size:
        raise UsageError(
            f"`max_size` {config.max_size} is smaller than `min_size` {config.min_size}"
        )
    check_device(config)
    if config.fine_tune and config.model_dir is None:
        raise UsageError("`fine_tune` needs `model_dir`, the run directory of a trained model")
    if config.model_dir is not None and not config.fine_tune:
        raise UsageError("`model_dir` is for fine-tuning: add `fine_tune` or leave it away")
