"""Components that need others, or move defaults: chosen, refused, said, whatever the layer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import TINY, value_of, write_picture
from test_owners import Toy, Wheels, option

import ConSinGAN
import main_train
from ConSinGAN import saved
from ConSinGAN.config import FAMILIES, SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.launch import configure, resolve
from ConSinGAN.owners import Schema
from ConSinGAN.presets.draft import Draft
from ConSinGAN.registry import PRESETS, Family

COMPONENTS = [(option, name) for option, family in FAMILIES.items() for name in family.names()]


def parts(config: TrainConfig) -> tuple[str, str]:
    return config.objective, config.critic


# Declarations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_what_components_declare_makes_sense(kind: str, name: str) -> None:
    component = FAMILIES[kind].find(name)
    choices = {family.option: family for family in FAMILIES.values()}
    for flag, needed in component.needs.items():
        assert flag != FAMILIES[kind].option
        assert needed in choices[flag].names()
    if kind != "mode":  # their defaults are no literals
        assert SCHEMA.check(component.defaults) == dict(component.defaults)
        assert not set(component.defaults) & set(component.needs)
        loaded = component.load()
        assert (loaded.needs, loaded.defaults) == (component.needs, component.defaults)
    config = resolve({FAMILIES[kind].option: name})
    assert getattr(config, FAMILIES[kind].option) == name
    for flag, needed in component.needs.items():
        assert getattr(config, flag) == needed


# Needs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        {"objective": "began"},
        {"critic": "autoencoder"},
        {"objective": "began", "critic": "autoencoder"},
        {"critic": "autoencoder", "began_gamma": 0.3},
    ],
)
def test_what_is_needed_is_chosen(typed: dict[str, Any]) -> None:
    config = configure(typed)
    assert parts(config) == ("began", "autoencoder")
    assert value_of(config, "began_gamma") == typed.get("began_gamma", 0.7)


@pytest.mark.parametrize(
    "typed",
    [
        {"objective": "began", "critic": "patch"},
        {"objective": "lsgan", "critic": "autoencoder"},
        {"objective": "wgan-gp", "critic": "autoencoder"},  # the default, but typed
    ],
)
@pytest.mark.parametrize("how", ["flags", "file", "both"])
def test_contradictions_name_both(typed: dict[str, str], how: str, tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    in_file = {"flags": {}, "file": typed, "both": {"critic": typed["critic"]}}[how]
    path.write_text(yaml.safe_dump(in_file or {"niter": 3}))
    flags = {name: value for name, value in typed.items() if name not in in_file}
    with pytest.raises(UsageError) as error:
        configure({"config": str(path), **flags})
    for name, value in typed.items():
        assert f"{name} {value}" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_need_is_stronger_than_a_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Draft, "choose", lambda self, configure: {"critic": "patch", "niter": 9})
    config = configure({"objective": "began", "preset": "draft"})
    assert (parts(config), config.niter) == (("began", "autoencoder"), 9)
    assert PRESETS.names()


def test_a_run_keeps_what_was_chosen_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = TINY | {"input_name": str(write_picture(tmp_path / "a.png")), "niter": 1}
    with caplog.at_level(logging.INFO, "ConSinGAN"):
        path = ConSinGAN.train(objective="began", output_dir=str(tmp_path), **options)
    said = [r.getMessage() for r in caplog.records if "autoencoder" in r.getMessage()]
    assert said == ["critic autoencoder, which objective began needs"]
    document = yaml.safe_load((path / "config.yaml").read_text())
    assert document["critic"] == {"name": "autoencoder"}
    assert document["objective"]["name"] == "began"
    config = saved.read_config(path)
    assert parts(config) == ("began", "autoencoder")

    caplog.clear()  # nothing that was typed needs to be told
    configure({"objective": "began", "critic": "autoencoder"})
    configure({})
    assert not caplog.records

    # What the run wrote of parts that do not go with typed ones is nobody's mistake.
    file = {"config": str(path / "config.yaml")}
    assert configure(file) == config
    assert parts(configure(file | {"objective": "lsgan"})) == ("lsgan", "patch")
    assert parts(configure(file | {"critic": "patch"})) == ("wgan-gp", "patch")
    assert parts(configure(file | {"objective": "began"})) == ("began", "autoencoder")
    with pytest.raises(UsageError, match="objective began"):
        configure(file | {"critic": "patch", "objective": "began"})


def test_a_plain_runs_file_gives_way_too(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(saved.write_config(resolve({"nfc": 5}), {"x": "y"}))
    file = {"config": str(tmp_path / "config.yaml")}
    for typed in ({"objective": "began"}, {"critic": "autoencoder"}):
        config = configure(file | typed)
        assert (parts(config), config.nfc) == (("began", "autoencoder"), 5)


def test_the_script_says_it_in_one_line(script: Any) -> None:
    outcome = script(main_train, "--objective", "began", "--critic", "patch")
    assert outcome.code == 2
    assert "--objective began needs --critic autoencoder" in outcome.err
    assert "--critic patch" in outcome.err
    assert outcome.err.count("\n") == 1


TUNE = {"fine_tune": True, "model_dir": "run", "naive_img": "naive.png"}


def test_a_model_has_the_critic_that_it_has() -> None:
    plain = resolve({"train_mode": "editing"})
    with pytest.raises(UsageError, match=r"began needs critic autoencoder, and .*critic patch"):
        resolve(TUNE | {"objective": "began"}, plain)
    began = resolve({"train_mode": "editing", "objective": "began"})
    assert parts(resolve(TUNE, began)) == ("began", "autoencoder")
    with pytest.raises(UsageError, match=r"autoencoder needs objective began, and .*lsgan"):
        resolve(TUNE | {"objective": "lsgan"}, began)


# A schema of toys -----------------------------------------------------------------------------


def toys(**needs: dict[str, str]) -> Family:
    made = Family("vehicles", "vehicle", "car")
    components = {n: Toy(n, n, "toys", n, Wheels, needs=need) for n, need in needs.items()}
    object.__setattr__(made, "components", components)
    return made


def places(**needs: dict[str, str]) -> Family:
    made = Family("places", "place", "road")
    components = {n: Toy(n, n, "toys", n, None, needs=need) for n, need in needs.items()}
    object.__setattr__(made, "components", components)
    return made


def schema() -> Schema:
    vehicles = toys(car={}, boat={"place": "sea"}, hull={"place": "sea"})
    grounds = places(road={}, sea={}, lake={"vehicle": "boat"})
    import dataclasses

    core = dataclasses.make_dataclass(
        "Trip",
        [
            ("vehicle", str, option("car", "travel", "in what", choices=vehicles.names())),
            ("place", str, option("road", "travel", "where", choices=grounds.names())),
        ],
        frozen=True, kw_only=True,
    )  # fmt: skip
    return Schema(core, {"vehicle": vehicles, "place": grounds})


def test_needs_are_followed() -> None:
    some = schema()
    assert some.needed({}, fixed={}) == {}
    assert some.needed({"vehicle": "hull"}, fixed={"vehicle": "this is"}) == {"place": "sea"}
    assert some.needed({"vehicle": "boat", "place": "sea"}, fixed={"place": "x"}) == {}


def test_components_that_disagree_are_both_named() -> None:
    with pytest.raises(UsageError, match=r"lake.*boat|boat.*lake"):
        schema().needed({"place": "lake"}, fixed={"place": "this is"})


# Defaults -------------------------------------------------------------------------------------


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Least squares have defaults of their own."""
    component = FAMILIES["objective"].find("lsgan")
    monkeypatch.setitem(
        FAMILIES["objective"].components, "lsgan",
        type(component)(**vars(component) | {"defaults": {"alpha": 3.0, "niter": 7, "nfc": 9}}),
    )  # fmt: skip


def values(config: TrainConfig) -> tuple[float, int, int]:
    return config.alpha, config.niter, config.nfc


@pytest.mark.usefixtures("moved")
def test_defaults_of_components_lie_over_the_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lsgan = {"objective": "lsgan"}
    assert values(resolve({})) == (10.0, 2000, 64)
    assert values(resolve(lsgan)) == (3.0, 7, 9)
    assert values(resolve(lsgan | {"train_mode": "paint"})) == (3.0, 7, 9)
    monkeypatch.setattr(Draft, "choose", lambda self, configure: {"niter": 8})
    assert values(configure(lsgan | {"draft": True})) == (3.0, 8, 9)
    path = tmp_path / "options.yaml"
    path.write_text("alpha: 4\n")
    assert values(configure(lsgan | {"draft": True, "config": str(path)})) == (4.0, 8, 9)
    assert values(resolve(lsgan | {"alpha": 5.0, "nfc": 2})) == (5.0, 7, 2)


@pytest.mark.usefixtures("moved")
def test_fine_tuning_takes_defaults_of_what_is_new() -> None:
    plain = resolve({"train_mode": "editing", "alpha": 2.0})
    config = resolve(TUNE | {"objective": "lsgan"}, plain)
    assert values(config) == (3.0, 500, 64)  # the model stays as it is
    same = resolve({"train_mode": "editing", "alpha": 2.0, "objective": "lsgan"})
    assert values(resolve(TUNE, same)) == (2.0, 500, 9)


@pytest.mark.usefixtures("moved")
def test_help_tells_defaults_of_components() -> None:
    assert "objective lsgan: 3.0" in " ".join(main_train.make_train_parser().format_help().split())
