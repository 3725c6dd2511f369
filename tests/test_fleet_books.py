"""Which pictures a fleet means, what it remembers and leaves; Ray is not asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import write_picture

from ConSinGAN import launch
from ConSinGAN.errors import UsageError
from ConSinGAN.fleet import driver, findings, metrics, options, runs, sweep, train
from ConSinGAN.fleet.engine import Job
from ConSinGAN.fleet.grid import Setting
from ConSinGAN.fleet.ledger import Ledger
from ConSinGAN.fleet.outcomes import Outcome, rank
from ConSinGAN.fleet.place import FolderPlace
from ConSinGAN.fleet.sweep_options import SweepConfig
from ConSinGAN.fleet.sweeping import Sweep


def written(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path)
    return paths


def test_what_runs_left_is_no_new_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    scans = tmp_path / "scans"
    wanted = written(scans, "a.png", "more/b.png")
    written(scans, "models/x/0/real_scale.png", "models/sheet.png", "run/0/gen.png", "out/z.png")
    (scans / "models/fleet.yaml").touch()
    (scans / "run/config.yaml").touch()
    (scans / "out/draw.yaml").touch()
    assert train.find([str(scans)]) == wanted
    assert train.find([f"{scans}/**/*.png"]) == wanted
    monkeypatch.chdir(tmp_path)
    assert train.find(["scans/**/*.png"]) == wanted
    # Who names them means them.
    assert train.find(["scans/out"]) == [scans / "out/z.png"]
    assert len(train.find(["scans/models/*.png"])) == 1
    assert train.find(["scans/run/0/gen.png"]) == [scans / "run/0/gen.png"]


def test_a_picture_is_the_same_however_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    written(tmp_path, "scans/a.png", "work/b.png")
    monkeypatch.chdir(tmp_path / "work")
    assert train.find(["../scans", "../work/../scans/a.png"]) == [tmp_path / "scans/a.png"]
    assert train.absolute({"config": "../c.yaml"}) == {"config": str(tmp_path / "c.yaml")}


def test_who_is_not_meant_any_more_stays_as_it_is(tmp_path: Path) -> None:
    good, bad = written(tmp_path, "good.png", "bad.png")
    place = FolderPlace.prepare(tmp_path / "out", "mark")
    ledger = train.open_ledger(place, {"niter": 3}, [good, bad])
    ledger.entries["bad"] |= {"state": "failed", "why": "it is bad"}
    ledger.write(at_once=True)

    ledger = train.open_ledger(place, {"niter": 3}, [good])
    assert [job.name for job in driver.waiting(ledger, lambda name: Job(name, None))] == ["good"]
    ledger.entries["good"]["state"] = "done"
    driver.say_how_it_ended(ledger, "training", None)  # which raises if one failed
    ledger.write(at_once=True)
    again = Ledger.read(place)
    assert again is not None
    assert again.others == {"bad": {"picture": str(bad), "state": "failed", "why": "it is bad"}}

    (other,) = written(tmp_path, "elsewhere/bad.png")
    ledger = train.open_ledger(place, {"niter": 3}, [good, other, bad])
    assert {n: e["picture"] for n, e in ledger.entries.items()} == {
        "good": str(good), "bad": str(bad), "bad_2": str(other)
    }  # fmt: skip
    assert not ledger.others


def test_models_of_pictures_that_are_not_meant_any_more_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not trials that were stopped early, whose models are not finished."""
    monkeypatch.setattr(runs, "_is_usable", lambda run: False)
    place = FolderPlace.prepare(tmp_path, "mark")
    ledger = Ledger(place, "train", {})
    ledger.entries = {"a": {"state": "done"}, "no": {"state": "failed"}}
    ledger.others = {"b": {"state": "done"}, "cut": {"state": "done", "stopped_early": "stage 2"}}
    ledger.write(at_once=True)
    for name in ledger.all_entries():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
    found, _ = runs.find([str(tmp_path)])
    assert {path.name for path in found} == {"a", "b"}


@pytest.mark.parametrize("entry", ["{}", "{state: nonsense}", "{picture: /a.png}"])
def test_an_entry_without_a_state_is_one_line(entry: str, tmp_path: Path) -> None:
    for key in ("runs", "other_runs"):
        runs_ = "" if key == "runs" else "runs: {}\n"
        (tmp_path / "fleet.yaml").write_text(f"format: 1\n{runs_}{key}: {{a: {entry}}}\n")
        with pytest.raises(UsageError, match="is not what a fleet writes"):
            Ledger.read(FolderPlace(tmp_path))


def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    place = FolderPlace.prepare(tmp_path / "out", "mark")
    ledger = train.open_ledger(place, {}, [tmp_path / name, tmp_path / "good.png"])
    again = Ledger.read(place)
    assert again is not None
    assert again.entries == ledger.entries
    assert again.entries[name.removesuffix(".png")]["picture"] == str(tmp_path / name)


# Flags ----------------------------------------------------------------------------------------


def test_a_files_seed_counts_and_what_is_not_for_a_fleet_is_refused(tmp_path: Path) -> None:
    (picture,) = written(tmp_path, "a.png")
    file = tmp_path / "options.yaml"
    file.write_text("manualSeed: 7\nniter: 3\n")
    flags = {"config": str(file)}
    place = FolderPlace.prepare(tmp_path / "out", "mark")
    assert train.open_ledger(place, flags, [picture]).about["seed"] == 7
    settings = [Setting("plain", {})]
    trials = Sweep([picture], settings, flags, SweepConfig(seeds=2), {}).trials()
    assert [one.seed for one in trials.values()] == [7, 8]
    file.write_text("fine_tune: true\nmodel_dir: x\n")
    with pytest.raises(UsageError, match=r"^fine_tune is not for a fleet"):
        train.check(flags, picture)


def test_who_wants_no_card_gets_none() -> None:
    assert options.split({"not_cuda": True})[0].gpus_per_run == 0
    assert options.split({"not_cuda": True, "gpus_per_run": 0.5})[0].gpus_per_run == 0.5
    assert options.split({"niter": 3})[0].gpus_per_run is None


@pytest.mark.parametrize("flags", [{"output_dir": "s3://bucket/x"}, {"scratch": "/tmp/x"}], ids=str)
def test_answers_are_not_written_to_a_store(
    flags: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.yaml").write_text("niter: 3\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=rf"^{next(iter(flags))}: what is drawn"):
        metrics.do({"runs": ["run"], **flags})
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_every_setting_of_a_grid_can_be_measured(tmp_path: Path) -> None:
    (picture,) = written(tmp_path, "a.png")
    flags = {"pictures": [str(picture)], "output_dir": str(tmp_path / "out"), "niter": 1}
    with pytest.raises(UsageError, match=r"^grid train_mode=dehazing: .*cannot be measured"):
        sweep.do({**flags, "grid": ["train_mode=generation,dehazing"]})
    assert not (tmp_path / "out").exists()


# Sweeps ---------------------------------------------------------------------------------------


def test_pictures_of_one_name_are_told_apart_in_any_order(tmp_path: Path) -> None:
    pictures = written(tmp_path, "qa/x.png", "qb/x.png")
    found = []
    for order in (pictures, pictures[::-1]):
        made = Sweep(order, [Setting("plain", {})], {}, SweepConfig(seeds=1), {})
        found.append({name: made.names()[one.picture] for name, one in made.trials().items()})
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.mark.parametrize(
    ("flags", "setting"),
    [
        ({"lr_d": 0.0005}, {"objective": "wgan"}),
        ({}, {"objective": "wgan"}),
        ({"train_stages": 6}, {"generator": "singan"}),
        ({"train_stages": 5}, {"lr_scale": 0.3}),
        ({"critic": "multiscale", "critic_scales": 2}, {"lr_g": 0.1}),
        ({"generator": "singan"}, {"nfc": 8}),
    ],
    ids=str,
)
def test_the_best_settings_are_those_that_won(
    flags: dict[str, Any], setting: dict[str, Any], tmp_path: Path
) -> None:
    (picture,) = written(tmp_path, "a.png")
    outcome = Outcome("a", Setting("s", setting), "a", 0, "done", {"coherence": 1.0})
    text = findings.best(rank([outcome], "coherence"), "coherence", flags)
    (tmp_path / "best.yaml").write_text(text)
    own = {"input_name": str(picture), "manualSeed": 0, "max_size": 40, "min_size": 12}
    again = launch.prepare({**own, "config": str(tmp_path / "best.yaml")})
    assert again == launch.prepare({**own, **flags, **setting})
