"""Options and their owners, with a schema of toys; what runs hand on; files that runs wrote."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ConSinGAN import launch, migrate, saved
from ConSinGAN.config import SCHEMA, TrainConfig
from ConSinGAN.errors import UsageError
from ConSinGAN.options import FileValues, Scope, option, parse_yaml
from ConSinGAN.owners import Schema
from ConSinGAN.registry import PRESETS, Component, Family


@dataclass(frozen=True, kw_only=True)
class Wheels:
    """Cars and carts share it."""

    wheels: int = option(4, "vehicle", "how many wheels", low=1)


@dataclass(frozen=True, kw_only=True)
class Sails:
    """Of boats."""

    sails: int = option(2, "vehicle", "how many sails", low=0, scope=Scope.ARCHITECTURE)
    striped: bool = option(False, "vehicle", "with stripes", negatable=True)


@dataclass(frozen=True, kw_only=True)
class Sled(Wheels):
    """Shares the wheels, which it can do without, and adds something."""

    dogs: int = option(6, "vehicle", "how many dogs", low=1)


@dataclass(frozen=True)
class Toy(Component):
    """A component whose options need no file."""

    cls: type | None = None

    def options(self) -> type | None:
        return self.cls


def family(**classes: type | None) -> Family:
    made = Family("vehicles", "vehicle", "car")
    components = {n: Toy(n, f"100 % {n}", "toys", n.title(), c) for n, c in classes.items()}
    object.__setattr__(made, "components", components)
    return made


VEHICLES = family(car=Wheels, cart=Wheels, boat=Sails, balloon=None)


@dataclass(frozen=True, kw_only=True)
class Trip:
    """A core."""

    vehicle: str = option("car", "travel", "in what", choices=VEHICLES.names())
    miles: int = option(10, "travel", "how far", low=1)
    lunch: str | None = option(None, "food", "what to eat")
    parts: dict[str, Any] = field(default_factory=dict)


TRIP = Schema(Trip, {"vehicle": VEHICLES})


def from_text(text: str) -> FileValues:
    return TRIP.from_sections(parse_yaml(text, "trip.yaml"), "trip.yaml")


# A schema -------------------------------------------------------------------------------------


def test_every_option_has_its_owners() -> None:
    owners = {name: owned.owners for name, owned in TRIP.options.items()}
    assert owners == {
        "vehicle": (), "miles": (), "lunch": (), "wheels": ("car", "cart"),
        "sails": ("boat",), "striped": ("boat",),
    }  # fmt: skip
    assert TRIP.options["sails"].scope("sails") == Scope.ARCHITECTURE


def test_a_name_is_given_once() -> None:
    other = dataclasses.make_dataclass(
        "Other", [("wheels", int, option(3, "vehicle", "others"))], frozen=True, kw_only=True
    )
    for classes in ({"car": Wheels, "tricycle": other}, {"car": Trip}):
        with pytest.raises(TypeError, match="two options are called"):
            _ = Schema(Trip, {"vehicle": family(**classes)}).options


def test_the_chosen_components_options_are_built() -> None:
    assert TRIP.build().parts == {"vehicle": Wheels()}
    assert TRIP.build(typed={"wheels": 3}).parts == {"vehicle": Wheels(wheels=3)}
    boat = TRIP.build({"wheels": 3, "sails": 5}, typed={"vehicle": "boat", "striped": True})
    assert boat.parts == {"vehicle": Sails(sails=5, striped=True)}
    assert TRIP.flat(boat) == {
        "vehicle": "boat", "miles": 10, "lunch": None, "sails": 5, "striped": True
    }  # fmt: skip
    assert TRIP.build(typed={"vehicle": "balloon"}).parts == {}


def test_layers_choose_too() -> None:
    assert TRIP.build({"vehicle": "boat"}, typed={"sails": 1}).parts == {"vehicle": Sails(sails=1)}
    with pytest.raises(UsageError, match="sails"):
        TRIP.build({"vehicle": "boat"}, typed={"sails": 1, "vehicle": "cart"})


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"sails": 1}, ["sails", "vehicle boat", "vehicle car;"]),
        ({"wheels": 3, "vehicle": "boat"}, ["wheels", "vehicle car", "cart", "vehicle boat;"]),
        ({"wheels": 3, "vehicle": "balloon"}, ["wheels", "vehicle balloon;"]),
        ({"sail": 1}, ["'sail'", "did you mean 'sails'?"]),
        ({"sails": -1}, ["sails", "at least 0"]),
        ({"vehicle": "sledge"}, ["vehicle", "one of car, cart, boat, balloon"]),
        ({"vehicle": []}, ["vehicle", "text"]),
        ({"parts": {}}, ["unknown option 'parts'"]),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(typed: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        TRIP.build(typed=typed)
    for word in words:
        assert word in str(error.value)


def test_help_is_grouped_by_owner_and_says_what_there_is() -> None:
    text = TRIP.make_parser("").format_help()
    titles = [line[:-1] for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles[1:] == ["travel", "food", "vehicle car, cart", "vehicle boat"]
    assert "in what; car: 100 % car; cart: 100 % cart" in " ".join(text.split())
    assert text.count("--wheels N ") == 1
    assert "--no-striped" in text


def test_untyped_flags_are_left_out() -> None:
    parse = TRIP.make_parser("").parse_args
    assert vars(parse([])) == {}
    assert vars(parse(["--sails", "3", "--striped"])) == {"sails": 3, "striped": True}


# Sections -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VEHICLES.names())
def test_sections_there_and_back(name: str) -> None:
    trip = TRIP.build(typed={"vehicle": name, "miles": 3})
    sections = TRIP.sections(trip)
    assert sections["travel"] == {"miles": 3}
    assert sections["vehicle"]["name"] == name
    assert TRIP.build(typed=from_text(yaml.safe_dump(sections))) == trip


def test_files_may_mix_both_ways_and_leave_sections_empty() -> None:
    values = from_text("miles: 3\ntravel:\nvehicle:\n  name: boat\n  sails: 4\n")
    assert values == {"miles": 3, "vehicle": "boat", "sails": 4}
    assert values.lines == {"miles": 1, "vehicle": 4, "sails": 5}
    assert from_text("vehicle: cart") == {"vehicle": "cart"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("miles: 3\nroad:\n  miles: 4\n", 2, ["no section 'road'", "food, travel, vehicle"]),
        ("food:\n  lunch: pie\n  miles: 4\n", 3, ["'miles'", "section 'travel'"]),
        ("travel:\n  vehicle: boat\n", 2, ["'vehicle'", "section 'vehicle'"]),
        ("travel:\n  sails: 3\n", 2, ["'sails'", "section 'vehicle'"]),
        ("vehicle:\n  name: boat\n\nmiles: 2\ntravel: {miles: 2}\n", 5, ["'miles'", "twice"]),
        ("vehicle:\n  name: car\n  name: boat\n", 3, ["'name'", "twice"]),
        ("food: pie\n", 1, ["'food' is a section"]),
    ],
)
def test_what_is_wrong_with_sections_is_found(text: str, line: int, words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        from_text(text)
    assert str(error.value).startswith(f"trip.yaml, line {line}: ")
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "text", ["travel: &a {miles: 3}\nfood: *a\n", "food: {<<: {lunch: x}}\nlunch: y\n"]
)
def test_anchors_have_places_or_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"^trip\.yaml(, line \d)?: '"):
        from_text(text)


def test_lines_of_nested_options_are_known() -> None:
    values = from_text("travel:\n  miles: 3\nvehicle:\n  wheels: 0\n")
    with pytest.raises(UsageError, match=r"^trip\.yaml, line 4: .*wheels"):
        TRIP.check(values, "trip.yaml")
    values = from_text("travel:\n  miles: 3\nvehicle:\n  name: boat\n  wheels: 2\n")
    with pytest.raises(UsageError, match=r"^trip\.yaml, line 5: .*wheels.*vehicle boat"):
        TRIP.check_owners(values, TRIP.chosen(values), "trip.yaml")


# Scopes ---------------------------------------------------------------------------------------


def names_of(*scopes: Scope) -> set[str]:
    return {name for name, owned in SCHEMA.options.items() if owned.scope(name) in scopes}


def test_scopes_are_what_the_lists_said() -> None:
    """To the letter those that fine-tuning and resuming went by before options told it."""
    assert names_of(Scope.ARCHITECTURE) - {"generator", "critic", "critic_scales"} == {
        "train_stages", "nfc", "num_layer", "ker_size", "padd_size", "nc_im", "activation",
        "lrelu_alpha", "batch_norm", "paint_colours", "skip_excitation",
    }  # fmt: skip
    assert names_of(Scope.RUN, Scope.HARMLESS, Scope.ROUNDING) == {
        "fine_tune", "model_dir", "naive_img", "niter", "niter_fine", "manualSeed", "output_dir",
        "gpu", "not_cuda", "threads", "precision", "compile", "preview_every", "checkpoint_seconds",
        "max_megapixels", "frame", "mask",
    }  # fmt: skip
    assert names_of(Scope.HARMLESS) == {
        "gpu", "not_cuda", "compile", "preview_every", "checkpoint_seconds", "max_megapixels"
    }  # fmt: skip
    assert names_of(Scope.ROUNDING) == {"threads"}


TUNE = {"fine_tune": True, "model_dir": "run", "naive_img": "naive.png"}


def test_fine_tuning_inherits_owners_options_by_their_scope() -> None:
    of_run = launch.resolve({"train_mode": "editing", "lambda_grad": 0.5, "batch_norm": False})
    flat = SCHEMA.flat(launch.resolve(TUNE, of_run))
    assert (flat["lambda_grad"], flat["batch_norm"]) == (0.5, False)
    assert SCHEMA.flat(launch.resolve(TUNE | {"lambda_grad": 2}, of_run))["lambda_grad"] == 2.0
    with pytest.raises(UsageError, match=r"batch_norm True: .*trained with False"):
        launch.resolve(TUNE | {"batch_norm": True}, of_run)


def test_resuming_keeps_owners_options() -> None:
    config = launch.resolve({"train_mode": "animation", "start_scale": 1, "lambda_grad": 0.5})
    changed = launch.resumed(config, {"preview_every": 7, "lambda_grad": 0.5})
    assert changed == dataclasses.replace(config, preview_every=7)
    with pytest.raises(UsageError, match=r"start_scale 0: the run in .*has 1"):
        launch.resumed(config, {"start_scale": 0})
    with pytest.raises(UsageError, match=r"start_scale.*animation"):
        launch.resumed(launch.resolve({}), {"start_scale": 0})


@pytest.mark.parametrize("name", launch.LAYERS)
@pytest.mark.parametrize("value", ["", "draft", True])
def test_resuming_takes_no_layers(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"leave .*{name} away"):
        launch.resume("anywhere", {name: value})


# Files of runs --------------------------------------------------------------------------------


def write_run(folder: Path, config: TrainConfig, version: int) -> str:
    """The config.yaml of a run as a version wrote it."""
    path = folder / "config.yaml"
    data = saved.write_config(config, {"command": "x"})
    if version == 1:
        flat = {k: v for k, v in SCHEMA.flat(config).items() if k not in migrate.THEN_1}
        data = saved.seal(yaml.safe_dump({"start_scale": 3, **flat, "run": {"torch": "2"}}))
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("version", [1, 2])
def test_flags_choose_others_than_the_run_whose_file_is_read(tmp_path: Path, version: int) -> None:
    """What a run wrote about a component that is not taken over is nobody's mistake."""
    config = launch.resolve({"train_mode": "animation", "niter": 3, "start_scale": 1})
    file = write_run(tmp_path, config, version)
    other = launch.configure({"config": file, "train_mode": "retarget"})
    assert (other.train_mode, other.niter, other.options_of("mode")) == ("retarget", 3, None)
    with pytest.raises(UsageError, match="start_scale"):
        launch.configure({"config": file, "train_mode": "retarget", "start_scale": 1})


def test_a_hand_written_file_is_held_to_its_word(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("mode:\n  name: animation\n  start_scale: 1\n")
    assert launch.configure({"config": str(path)}).train_mode == "animation"
    with pytest.raises(UsageError, match=r"line 3: .*start_scale.*animation.*retarget"):
        launch.configure({"config": str(path), "train_mode": "retarget"})


def test_what_a_run_of_format_1_could_not_choose_is_as_it_was_then(tmp_path: Path) -> None:
    write_run(tmp_path, launch.resolve({}), 1)
    read = saved.read_config(tmp_path)
    assert (read.generator, read.critic, read.objective) == ("consingan", "patch", "wgan-gp")
    assert read == launch.resolve({})


@pytest.mark.parametrize("version", [3, 10**30])
def test_a_newer_version_gets_one_line(tmp_path: Path, version: int) -> None:
    text = f"format: {version}\nfuture: {{a: [1]}}\n"
    (tmp_path / "config.yaml").write_bytes(saved.seal(text))
    with pytest.raises(UsageError, match=rf"config\.yaml: .*format {version}.*update"):
        saved.read_config(tmp_path)


@pytest.mark.parametrize("name", [[], {}, 3, "", "other"])
def test_presets_that_there_are_not(name: object) -> None:
    with pytest.raises(UsageError, match=r"preset must be one of draft"):
        launch.configure({"preset": name})
    assert PRESETS.names() == ("draft", "fast", "singan", "standard")


def test_options_are_shared_by_inheriting_them() -> None:
    schema = Schema(Trip, {"vehicle": family(car=Wheels, cart=Sled)})
    assert schema.options["wheels"].owners == ("car", "cart")
    assert schema.options["dogs"].owners == ("cart",)
    trip = schema.build({"wheels": 3}, typed={"vehicle": "cart", "dogs": 2})
    assert trip.parts["vehicle"] == Sled(wheels=3, dogs=2)

    @dataclass(frozen=True, kw_only=True)
    class Others:
        wheels: int = option(1, "vehicle", "how many wheels", low=1)

    with pytest.raises(TypeError, match="wheels"):
        _ = Schema(Trip, {"vehicle": family(car=Wheels, cart=Others)}).options
