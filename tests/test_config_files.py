"""Files of options: YAML, a run's own file, presets, what fine-tuning takes from a saved run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml
from conftest import make_config, value_of
from test_config import parse, write_yaml

from ConSinGAN import migrate, modes, saved
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.launch import configure, resolve
from ConSinGAN.options import Scope, read_yaml
from ConSinGAN.presets.draft import Draft

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
