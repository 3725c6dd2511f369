"""The configuration: layers, ranges, --help."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, value_of

import main_train
from ConSinGAN import modes
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import SCHEMA as EVALUATION
from ConSinGAN.launch import configure, resolve
from ConSinGAN.presets.draft import Draft

INTEGERS = {  # name: smallest value
    "gpu": 0, "threads": 1, "manualSeed": 0, "train_stages": 2, "min_size": 4, "max_size": 4,
    "nfc": 1, "num_layer": 1, "ker_size": 1, "padd_size": 0, "nc_im": 1, "train_depth": 1,
    "niter": 1, "Gsteps": 1, "Dsteps": 1, "start_scale": 0, "preview_every": 1,
    "frame": 1, "paint_colours": 2, "crop": 16, "critic_scales": 1, "train_window": 0,
    "niter_fine": 0,
}  # fmt: skip
REALS = {  # name: (bound, is the bound itself allowed)
    "lrelu_alpha": (0, True), "lr_scale": (0, True), "lr_g": (0, False), "lr_d": (0, False),
    "beta1": (0, True), "gamma": (0, False), "lambda_grad": (0, True), "alpha": (0, True),
    "feature_matching": (0, True), "rebuilding": (0, True),
    "noise_amp": (0, True), "checkpoint_seconds": (0, True), "max_megapixels": (0, False),
    "factor": (1, False), "adversarial": (0, True), "clip": (0, False), "r1": (0, True),
    "label_smoothing": (0, True), "began_gamma": (0, True), "fade_in": (0, True),
    "scale_factor": (0.1, True), "average": (0, True),
}  # fmt: skip
TEXTS = (
    "train_mode", "input_name", "naive_img", "model_dir", "output_dir", "activation", "mask",
    "augment_critic",
)  # fmt: skip
HIGHEST = {
    "critic_scales": 8, "train_window": 2**15,
    "train_stages": 32, "nfc": 4096, "num_layer": 64, "ker_size": 31, "padd_size": 15, "nc_im": 3,
    "lrelu_alpha": 1.0, "beta1": 0.999, "factor": 8, "crop": 4096, "manualSeed": 2**63 - 1,
    "label_smoothing": 1.0, "began_gamma": 1.0, "fade_in": 1.0, "scale_factor": 0.95,
}  # fmt: skip


def parse(*arguments: str) -> dict:
    return main_train.parse(list(arguments))


def write_yaml(folder: Path, **values: object) -> str:
    path = folder / "options.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)


# Layers ---------------------------------------------------------------------------------------


def test_defaults_are_those_of_the_paper() -> None:
    config = resolve({})
    expected = {
        "train_mode": "generation", "train_stages": 6, "min_size": 25, "max_size": 250, "nfc": 64,
        "num_layer": 3, "ker_size": 3, "padd_size": 0, "nc_im": 3, "activation": "lrelu",
        "lrelu_alpha": 0.05, "batch_norm": False, "train_depth": 3, "lr_scale": 0.1, "niter": 2000,
        "lr_g": 0.0005, "lr_d": 0.0005, "beta1": 0.5, "gamma": 0.1, "Gsteps": 3, "Dsteps": 3,
        "lambda_grad": 0.1, "alpha": 10.0, "noise_amp": 0.1, "fade_in": 0.0,
        "skip_excitation": False,
    }  # fmt: skip
    assert {name: value_of(config, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("generation", {}),
        ("retarget", {}),
        ("animation", {"min_size": 20}),
        (
            "harmonization",
            {"train_stages": 3, "min_size": 120, "lrelu_alpha": 0.3, "niter": 1000,
             "batch_norm": True},
        ),
        ("editing", {"batch_norm": True, "niter": 1000}),
    ],
)  # fmt: skip
def test_a_mode_changes_only_its_own_defaults(mode: str, expected: dict) -> None:
    plain, config = (
        SCHEMA.flat(resolve({})),
        SCHEMA.flat(resolve({"train_mode": mode})),
    )
    config.pop("start_scale", None)  # the mode's own
    picture = config["input_name"]  # every mode has a picture of its own
    assert (ROOT / picture).is_file()
    assert config == plain | {"train_mode": mode, "input_name": picture} | expected


def test_layers_from_weakest_to_strongest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dataclass < mode < preset < YAML < flags, shown on one field."""
    monkeypatch.setattr(Draft, "choose", lambda self, configure: {"niter": 123})
    file = write_yaml(tmp_path, niter=7)
    layers = [
        ([], 2000),
        (["--train_mode", "editing"], 1000),
        (["--draft"], 123),
        (["--config", file], 7),
        (["--niter", "5"], 5),
    ]
    typed: list[str] = []
    for words, expected in layers:
        typed += words
        assert configure(parse(*typed)).niter == expected


@pytest.mark.parametrize("mode", modes.names())
def test_every_mode_has_a_draft(mode: str) -> None:
    full = resolve({"train_mode": mode})
    for preset in modes.get(mode).drafts:
        config = resolve({"train_mode": mode}, preset=preset)
        flat = SCHEMA.flat(config)
        assert {name: flat[name] for name in preset} == preset
        assert config.niter <= full.niter
        assert config.max_size < full.max_size or "max_size" not in preset


def test_yaml_may_choose_the_mode_whose_defaults_then_hold(tmp_path: Path) -> None:
    config = configure(parse("--config", write_yaml(tmp_path, train_mode="animation")))
    assert (config.train_mode, config.min_size) == ("animation", 20)


def test_batch_norm_can_be_switched_off() -> None:
    config = resolve(parse("--train_mode", "editing", "--no-batch_norm"))
    assert not value_of(config, "batch_norm")


def test_what_is_on_by_default_can_be_switched_off() -> None:
    for field in dataclasses.fields(TrainConfig):
        if field.default is True:
            assert getattr(resolve(parse(f"--no-{field.name}")), field.name) is False


def test_untyped_flags_are_no_layer() -> None:
    assert parse() == {}


def test_seed_is_drawn_when_not_given_and_kept_when_given() -> None:
    assert configure({"manualSeed": 3}).manualSeed == 3
    drawn = {configure({}).manualSeed for _ in range(4)}
    assert len(drawn) > 1
    assert all(seed >= 0 for seed in drawn)


# Unknown keys, types, ranges ------------------------------------------------------------------


def test_unknown_key_names_the_file_and_suggests(tmp_path: Path) -> None:
    file = write_yaml(tmp_path, nitre=5)
    with pytest.raises(UsageError, match=r"options\.yaml.*'nitre'.*did you mean 'niter'"):
        configure({"config": file})


@pytest.mark.parametrize("key", ["zzzzzz", 3, None, True])
def test_unknown_key_without_a_likeness(key: object) -> None:
    with pytest.raises(UsageError, match="unknown option") as error:
        SCHEMA.check({key: 1})
    assert "did you mean" not in str(error.value)


def test_every_field_is_covered_here() -> None:
    defaults = {
        name: o.cls.__dataclass_fields__[name].default for name, o in SCHEMA.options.items()
    }
    switches = {name for name, default in defaults.items() if type(default) is bool}
    named = {*INTEGERS, *REALS, *TEXTS, *switches, "precision", "generator", "critic", "objective"}
    assert named == set(SCHEMA.options)


@pytest.mark.parametrize(("name", "low"), INTEGERS.items())
def test_whole_numbers(name: str, low: int) -> None:
    assert SCHEMA.check({name: low})[name] == low
    for value in (low - 1, -(10**30), 2.0, 2.5, "3", True, [3], {}, float("nan")):
        with pytest.raises(UsageError, match=f"^{name}"):
            SCHEMA.check({name: value})


@pytest.mark.parametrize(("name", "bound"), REALS.items())
def test_numbers(name: str, bound: tuple[int, bool]) -> None:
    low, included = bound
    value = SCHEMA.check({name: low if included else low + 1e-9})[name]
    assert type(value) is float
    wrong = (-1e-9, -1, float("nan"), float("inf"), -float("inf"), "1", True, [1.0])
    default = SCHEMA.options[name].cls.__dataclass_fields__[name].default
    for value in () if default is None else (None,):
        with pytest.raises(UsageError, match=f"^{name}"):
            SCHEMA.check({name: value})
    for value in wrong if included else (low, *wrong):
        with pytest.raises(UsageError, match=f"^{name}"):
            SCHEMA.check({name: value})


@pytest.mark.parametrize(("name", "high"), HIGHEST.items())
def test_upper_bounds(name: str, high: float) -> None:
    assert SCHEMA.check({name: high})[name] == high
    with pytest.raises(UsageError, match=f"^{name} must be at most"):
        SCHEMA.check({name: high + 1})


def test_whole_number_too_large_for_a_float() -> None:
    with pytest.raises(UsageError, match=r"^lr_g"):
        SCHEMA.check({"lr_g": 10**400})


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str) -> None:
    for value in (3, True, ["a"], 1.5):
        with pytest.raises(UsageError, match=f"^{name}"):
            SCHEMA.check({name: value})


@pytest.mark.parametrize("name", ["fine_tune", "batch_norm", "not_cuda"])
def test_switches(name: str) -> None:
    for value in (0, 1, "yes", None):
        with pytest.raises(UsageError, match=f"^{name} takes true or false"):
            SCHEMA.check({name: value})


@pytest.mark.parametrize("name", ["train_mode", "activation", "precision"])
def test_choices_are_listed(name: str) -> None:
    choices = TrainConfig.__dataclass_fields__[name].metadata["choices"]
    with pytest.raises(UsageError, match=f"^{name} must be one of {', '.join(choices)}"):
        SCHEMA.check({name: "other"})


@pytest.mark.parametrize("value", [3, [3], [3, 4, 5], [0, 4], [3, -1], [3.0, 4], ["3", "4"], "34"])
def test_sizes_are_two_positive_whole_numbers(value: object) -> None:
    assert EVALUATION.check({"size": [3, 4]})["size"] == (3, 4)
    with pytest.raises(UsageError, match=r"^size"):
        EVALUATION.check({"size": value})


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"ker_size": 4}, "ker_size"),
        ({"padd_size": 2}, "padd_size"),
        ({"nc_im": 2}, "nc_im"),
        ({"max_size": 20}, "max_size"),
        ({"fine_tune": True}, "model_dir"),
        ({"model_dir": "x"}, "fine_tune"),
        ({"naive_img": "x"}, "naive_img"),
        ({"train_mode": "harmonization", "fine_tune": True, "model_dir": "x"}, "naive_img"),
    ],
)
def test_combinations_that_make_no_sense(options: dict, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        resolve(options)


# --help ---------------------------------------------------------------------------------------


def test_help_shows_every_flag_with_its_default() -> None:
    for schema in (SCHEMA, EVALUATION):
        text = schema.make_parser("").format_help().split("\n\n", 1)[1]  # without the usage
        for name, owned in schema.options.items():
            default = owned.cls.__dataclass_fields__[name].default
            assert f"--{name}" in text
            if default not in (None, False, True):
                start = text.index(f"--{name} ")
                assert str(default) in text[start : start + 700], name


def test_help_groups_flags_by_owner() -> None:
    text = SCHEMA.make_parser("").format_help()
    assert "mode animation:\n  --start_scale" in text
    assert "objective wgan-gp:\n  --lambda_grad" in text
    assert (
        "task editing, harmonization, paint:\n  --naive_img"
        in EVALUATION.make_parser("").format_help()
    )


def test_help_shows_the_modes_and_their_defaults() -> None:
    text = " ".join(main_train.make_train_parser().format_help().split())
    assert all(mode in text for mode in modes.names())
    assert re.search(r"default: 25; animation: 20; .*harmonization: 120", text)
    assert re.search(r"default: 2000; [a-z, ]*editing, harmonization[a-z, ]*: 1000; ", text)
    assert "; fine-tuning: 500" in text
    assert "--no-batch_norm" in text
    assert "%" not in text.replace("80 %", "")


@pytest.mark.parametrize("module", ["main_train", "evaluate_model"])
def test_help_needs_no_torch_and_is_quick(module: str) -> None:
    program = (
        f"import sys, {module}\nsys.argv = ['{module}.py', '--help']\n"
        f"try: {module}.main()\nexcept SystemExit as end: assert not end.code\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("False False\n")
    assert time.monotonic() - start < 1.5


def test_flags_cannot_be_abbreviated() -> None:
    with pytest.raises(UsageError, match="--nite"):
        parse("--nite", "3")
