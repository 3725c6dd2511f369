"""The configuration: layers, ranges, YAML, fine-tuning's inheritance, --help."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, make_config, value_of

import main_train
from ConSinGAN import migrate, modes, saved
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.evaluation import SCHEMA as EVALUATION
from ConSinGAN.launch import configure, resolve
from ConSinGAN.options import Scope, read_yaml
from ConSinGAN.presets.draft import Draft

INTEGERS = {  # name: smallest value
    "gpu": 0, "threads": 1, "manualSeed": 0, "train_stages": 2, "min_size": 4, "max_size": 4,
    "nfc": 1, "num_layer": 1, "ker_size": 1, "padd_size": 0, "nc_im": 1, "train_depth": 1,
    "niter": 1, "Gsteps": 1, "Dsteps": 1, "start_scale": 0, "preview_every": 1,
    "frame": 1, "paint_colours": 2, "crop": 16, "critic_scales": 1, "train_window": 0,
}  # fmt: skip
REALS = {  # name: (bound, is the bound itself allowed)
    "lrelu_alpha": (0, True), "lr_scale": (0, True), "lr_g": (0, False), "lr_d": (0, False),
    "beta1": (0, True), "gamma": (0, False), "lambda_grad": (0, True), "alpha": (0, True),
    "feature_matching": (0, True), "rebuilding": (0, True),
    "noise_amp": (0, True), "checkpoint_seconds": (0, True), "max_megapixels": (0, False),
    "factor": (1, False), "adversarial": (0, True), "clip": (0, False), "r1": (0, True),
    "label_smoothing": (0, True), "began_gamma": (0, True), "fade_in": (0, True),
    "scale_factor": (0.1, True),
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


# YAML files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"- 1\n", b"text", b"a: [", b"\xff\xfe\x00", b"a: b: c", b"? [1]\n: 2", b"\x00", b"42"],
)
def test_files_that_are_no_options(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"bad\.yaml"):
        read_yaml(path)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_yaml(tmp_path / name)


def test_numbers_in_scientific_notation_without_a_point(tmp_path: Path) -> None:
    """YAML 1.1 takes `5e-4` for a text; people mean the number."""
    path = tmp_path / "options.yaml"
    path.write_text("lr_g: 5e-4\n")
    assert configure({"config": str(path)}).lr_g == 5e-4


def of_format_1(config: TrainConfig) -> dict:
    """What config.yaml held in format 1: all options in one list, whosever they are."""
    flat = {k: v for k, v in SCHEMA.flat(config).items() if k not in migrate.THEN_1}
    return {"start_scale": 0, **flat, "run": {"command": "x", "torch": "2.14"}}


@pytest.mark.parametrize("mode", ["editing", "generation", "animation"])
def test_a_runs_own_file_gives_the_same_configuration(mode: str, tmp_path: Path) -> None:
    """--config accepts the config.yaml of a run of either format, its notes included."""
    config = resolve({"train_mode": mode, "niter": 3, "manualSeed": 9})
    path = tmp_path / "config.yaml"
    path.write_bytes(saved.write_config(config, {"command": "x"}))
    assert configure(parse("--config", str(path))) == config
    assert saved.read_config(tmp_path) == config
    file = write_yaml(tmp_path, **of_format_1(config))
    assert configure(parse("--config", file)) == config


def test_a_runs_file_has_sections(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(saved.write_config(make_config(nfc=5), {"torch": "2"}))
    document = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert document["format"] == 2
    assert document["networks"]["nfc"] == 5
    assert document["objective"] == {"name": "wgan-gp", "lambda_grad": 0.1}
    assert document["generator"] == {
        "name": "consingan", "batch_norm": False, "fade_in": 0.0, "skip_excitation": False,
    }  # fmt: skip
    assert document["mode"] == {"name": "generation"}
    assert document["about"] == {"torch": "2"}


def test_files_may_have_sections_or_not(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("niter: 5\nobjective:\n  lambda_grad: 0.3\nmode:\n  name: editing\n")
    config = configure({"config": str(path)})
    assert (config.train_mode, config.niter, value_of(config, "lambda_grad")) == ("editing", 5, 0.3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nets:\n  nfc: 3\n", ["line 1", "'nets'", "networks"]),
        ("pyramid:\n  max_size: 60\n  nfc: 3\n", ["line 3", "'nfc'", "'networks'"]),
        ("nfc: 3\nnetworks:\n  nfc: 4\n", ["line 3", "'nfc'", "twice"]),
        ("networks:\n  nfc: 3\n  nfc: 4\n", ["line 3", "'nfc'", "twice"]),
        ("networks:\n  num_layer: 3\n  nfc: no\n", ["line 3: nfc"]),
        ("\nstart_scale: 1\n", ["line 2: start_scale", "train_mode animation"]),
        ("format: 3\nnfc: 3\n", ["format 3", "newer"]),
        ("format: two\n", ["format"]),
    ],
)
def test_what_is_wrong_in_a_file_is_found(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "options.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        configure({"config": str(path)})
    for word in ["options.yaml", *words]:
        assert word in str(error.value)


def test_options_of_what_is_not_chosen_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^start_scale.*train_mode animation.*generation"):
        resolve({"start_scale": 1})
    assert value_of(resolve({"start_scale": 1, "train_mode": "animation"}), "start_scale") == 1


def test_presets_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Draft, "choose", lambda self, configure: {"niter": 123})
    for flags in ({"draft": True}, {"preset": "draft"}, {"draft": True, "preset": "draft"}):
        assert configure(flags).niter == 123
    for flags in ({"preset": "other"}, {"draft": True, "preset": "other"}):
        with pytest.raises(UsageError, match=r"^preset"):
            configure(flags)


# Fine-tuning ----------------------------------------------------------------------------------

SAVED = make_config(
    train_mode="harmonization", input_name="saved.png", train_stages=4, nfc=8, num_layer=2,
    ker_size=5, activation="elu", lrelu_alpha=0.2, batch_norm=False, niter=77, lr_g=0.123,
    min_size=30, max_size=60, manualSeed=5, naive_img="old.png", output_dir="elsewhere",
)  # fmt: skip
TUNE = {"fine_tune": True, "model_dir": "run", "naive_img": "new.png"}


def test_fine_tuning_inherits_the_saved_run() -> None:
    config = resolve(TUNE, SAVED)
    options = SCHEMA.options
    has = SCHEMA.flat(SAVED)  # other modes' options are none of it
    architecture = [n for n in options if n in has and options[n].scope(n) == Scope.ARCHITECTURE]
    assert {"nfc", "batch_norm", "generator", "critic"} < set(architecture)
    for name in (*architecture, "train_mode", "input_name", "lr_g", "min_size", "max_size"):
        assert value_of(config, name) == value_of(SAVED, name), name


def test_fine_tuning_has_its_own_iterations_seed_and_place() -> None:
    config = resolve(TUNE, SAVED)
    assert config.niter == 500
    assert config.manualSeed is None
    assert config.output_dir == TrainConfig.output_dir
    assert config.naive_img == "new.png"


def test_typed_flags_win_when_fine_tuning() -> None:
    typed = {"niter": 3, "lr_g": 0.5, "input_name": "other.png", "alpha": 2.0, "train_depth": 1}
    config = resolve(TUNE | typed, SAVED)
    assert {name: getattr(config, name) for name in typed} == typed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train_stages", 5), ("nfc", 16), ("num_layer", 3), ("ker_size", 3), ("padd_size", 1),
        ("nc_im", 1), ("activation", "lrelu"), ("lrelu_alpha", 0.3), ("batch_norm", True),
    ],
)  # fmt: skip
def test_architecture_cannot_change_when_fine_tuning(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name}"):
        resolve(TUNE | {name: value}, SAVED)
    same = value_of(SAVED, name)
    assert value_of(resolve(TUNE | {name: same}, SAVED), name) == same


def test_a_draft_does_not_change_the_architecture_when_fine_tuning() -> None:
    preset = modes.get(SAVED.train_mode).drafts[0] | {"train_stages": 4}
    config = resolve(TUNE, dataclasses.replace(SAVED, train_stages=3), preset=preset)
    assert config.train_stages == 3
    assert config.niter == preset["niter"]


def test_a_run_of_another_mode_cannot_be_fine_tuned() -> None:
    for mode in ("generation", "editing"):
        with pytest.raises(UsageError, match=f"^(train_mode|model_dir).*{mode}"):
            resolve(TUNE | {"train_mode": "harmonization"}, TrainConfig(train_mode=mode))


def test_fine_tuning_asked_for_in_a_file_inherits_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_bytes(saved.write_config(SAVED, {}))
    file = write_yaml(tmp_path, **(TUNE | {"model_dir": str(run)}))
    config = configure({"config": file})
    assert (config.train_mode, config.nfc) == ("harmonization", 8)


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
