"""Sweeps: what is typed, the tables, and that a sweep gives what its runs by hand give."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import Outcome, write_picture
from fleet_helpers import (
    PATIENCE,
    begin,
    finishing,
    kill,
    ledger,
    loopback,
    session_of,
    sockets_of,
    states,
    wait_for,
    words_of,
    workers,
)  # fmt: skip

import ConSinGAN
from ConSinGAN import ask, launch, saved
from ConSinGAN.fleet import __main__ as fleet
from ConSinGAN.fleet import cluster, grid, sweep, sweep_options
from ConSinGAN.fleet import outcomes as table
from ConSinGAN.fleet.grid import Setting
from ConSinGAN.fleet.record import Record

pytest.importorskip("ray")

TINY = {"min_size": 12, "max_size": 24, "nfc": 4, "niter": 20, "not_cuda": True,
        "checkpoint_seconds": 0.2}  # fmt: skip
SAMPLES = 3


# What is typed --------------------------------------------------------------------------------


def test_a_grid_is_all_combinations() -> None:
    found = grid.read_grid(["lr_scale=0.1,0.30", "train_stages=5:7", "precision=fp32"])
    assert found == {"lr_scale": [0.1, 0.3], "train_stages": [5, 6, 7], "precision": ["fp32"]}
    assert grid.as_text(found) == "lr_scale=0.1,0.3 train_stages=5,6,7 precision=fp32"
    settings = grid.settings_of(found, {})
    assert len(settings) == 6
    assert settings[1] == Setting(
        "lr_scale=0.1 train_stages=6 precision=fp32",
        {"lr_scale": 0.1, "train_stages": 6, "precision": "fp32"},
    )


BAD = {
    "no grid": ([], "--grid is needed"),
    "no option": (["--grid", "lr_scal=0.1"], "--grid lr_scal: there is no such option"),
    "no equals": (["--grid", "lr_scale"], "--grid takes OPTION=VALUE"),
    "no value": (["--grid", "lr_scale="], "--grid lr_scale: a value is missing"),
    "one missing": (["--grid", "lr_scale=0.1,,0.2"], "--grid lr_scale: a value is missing"),
    "bad value": (["--grid", "niter=3,x"], "--grid niter: takes whole numbers, not 'x'"),
    "out of range": (["--grid", "lr_g=0"], "--grid lr_g: --lr_g must be greater than 0"),
    "no choice": (["--grid", "precision=fp8"], "--grid precision: --precision must be one of"),
    "backwards": (["--grid", "train_stages=8:5"], "--grid train_stages: 8:5 ends before"),
    "endless": (["--grid", "niter=1:900000"], "--grid niter: 1:900000 are too many values"),
    "many": (["--grid", "niter=1:200", "Gsteps=1:200"], "--grid: these are 40000 settings"),
    "option twice": (["--grid", "niter=1", "--grid", "niter=2"], "--grid niter: is there twice"),
    "value twice": (["--grid", "lr_scale=0.1,0.10"], "--grid lr_scale: 0.1 is there twice"),
    "typed as well": (["--grid", "niter=3,4", "--niter", "3"], "--grid niter: --niter is typed"),
    "another's": (["--grid", "factor=2,3"], "--factor is an option of --train_mode"),
    "impossible": (["--grid", "ker_size=3,4"], "--grid ker_size=4: --ker_size must be odd"),
    "the seed": (["--grid", "manualSeed=1:3"], "--grid manualSeed: is not for a grid: --seeds"),
    "the picture": (["--grid", "input_name=a,b"], "--grid input_name: is not for a grid"),
    "harmless": (["--grid", "preview_every=5,6"], "--grid preview_every: no result depends"),
    "no seeds": (["--grid", "niter=3", "--seeds", "0"], "--seeds must be at least 1"),
    "no time": (["--grid", "niter=3", "--budget", "abc"], "--budget takes a time"),
    "no time left": (["--grid", "niter=3", "--budget", "0h"], "--budget 0h: must be more"),
    "no metric": (["--grid", "niter=3", "--minimise", "beauty"], "--minimise: invalid choice"),
    "needs weights": (["--grid", "niter=3", "--minimise", "sifid_64"], "--minimise: invalid"),
    "no scheduler": (["--grid", "niter=3", "--scheduler", "x"], "--scheduler: invalid choice"),
    "preset": (["--grid", "niter=3", "--draft"], "--draft is not for a sweep"),
    "unmeasured": (["--grid", "niter=3", "--train_mode", "dehazing"], "--train_mode dehazing"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_line_before_anything_starts(
    case: str, script: Callable[..., Outcome], picture_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def connect(*_: object) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr(cluster, "connected", connect)
    words, message = BAD[case]
    done = script(fleet, "sweep", picture_file, *words, "--output_dir", tmp_path / "D")
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "D").exists()


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("2h", 7200), ("1h30m", 5400), ("0.5m", 30), ("1d", 86400)]
)
def test_a_budget_is_a_time(text: str, seconds: float) -> None:
    assert sweep_options.read_span(text) == seconds


# Tables ---------------------------------------------------------------------------------------


def outcome(
    setting: str, picture: str, seed: int, value: float | None, state: str = "done", note: str = ""
) -> table.Outcome:
    metrics = {} if value is None else {"coherence": value}
    flags = {"niter": int(setting)}
    name = f"{picture}-{setting}-{seed}"
    return table.Outcome(name, Setting(f"niter={setting}", flags), picture, seed, state, metrics,
                         note)  # fmt: skip


def test_means_and_spread_over_seeds_and_pictures() -> None:
    values = {("a", 0): 1.0, ("a", 1): 3.0, ("b", 0): 10.0, ("b", 1): 16.0}
    (row,) = table.rank([outcome("5", *key, value) for key, value in values.items()], "coherence")
    mean = row.mean("coherence")
    assert mean is not None
    assert mean.value == pytest.approx(statistics.fmean(values.values()))
    assert mean.over_seeds == pytest.approx(((2 + 18) / 2) ** 0.5)
    assert mean.over_pictures == pytest.approx(statistics.stdev([2, 13]))


def test_the_best_is_first_but_a_mean_over_fewer_trials_is_not() -> None:
    outcomes = [
        outcome("5", "a", 0, 4.0), outcome("5", "a", 1, 6.0),
        outcome("6", "a", 0, 3.0), outcome("6", "a", 1, 5.0),
        outcome("7", "a", 0, 0.1), outcome("7", "a", 1, None, "cut", "after stage 1 of 3"),
        outcome("8", "a", 0, None, "failed", "a loss"), outcome("8", "a", 1, None, "missing"),
    ]  # fmt: skip
    rows = table.rank(outcomes, "coherence")
    assert [row.setting.flags["niter"] for row in rows] == [6, 5, 7, 8]
    text = table.to_markdown(outcomes, "coherence")
    assert "| niter=6 | 2 of 2 | 4 ± 1.414 |" in text
    assert "| niter=7 | 1 of 2, 1 stopped early | 0.1 |" in text
    assert "| niter=8 | 0 of 2, 1 failed, 1 not done |  |" in text
    assert "* a-7-1: after stage 1 of 3" in text
    assert "* a-8-0: a loss" in text
    lines = table.to_csv(outcomes, "coherence").splitlines()
    assert lines[1] == "niter=6,6,2,0,0,0,4,1.41421,"
    assert table.trials_to_csv(outcomes).splitlines()[-1] == "a-8-1,niter=8,8,a,1,missing,,"


# Successive halving ---------------------------------------------------------------------------


class Tried:
    """A trial as a scheduler sees it."""

    def __init__(self, name: str) -> None:
        self.trial_id, self.config = f"id of {name}", {"trial": name}


def test_halving_compares_like_with_like_and_remembers(tmp_path: Path) -> None:
    from ConSinGAN.fleet.asha import Halving

    journal = tmp_path / "asha.jsonl"
    pictures = {"good": "a", "bad": "a", "worst": "a", "other picture": "b", "other size": "a"}

    def tell(halving: Halving, name: str, stage: int, value: float, sizes: str = "9x9 9x9 9x9"):
        result = {"stage": stage, "value": value, "sizes": sizes}
        return halving.on_trial_result(None, Tried(name), result)

    halving = Halving(journal, pictures)
    assert tell(halving, "good", 1, 1.0) == "CONTINUE"
    assert tell(halving, "bad", 1, 2.0) == "STOP"
    assert tell(halving, "other picture", 1, 9.0) == "CONTINUE"
    assert tell(halving, "other size", 1, 9.0, "9x9 9x9") == "CONTINUE"
    assert tell(halving, "good", 2, 5.0) == "CONTINUE"
    assert list(halving.stopped) == ["bad"]

    with journal.open("a") as file:
        file.write('{"trial": "wor')  # cut off by a kill
    again = Halving(journal, pictures)
    assert list(again.stopped) == ["bad"]
    assert tell(again, "good", 1, 1.0) == "CONTINUE"  # told again
    assert tell(again, "bad", 1, 2.0) == "STOP"
    assert tell(again, "worst", 1, 3.0) == "STOP"  # because of what was known before
    assert [json.loads(line)["trial"] for line in journal.read_text().splitlines()[:2]] == [
        "good", "bad",
    ]  # fmt: skip


# Sweeps, in processes of their own ------------------------------------------------------------


def start(picture: Path, folder: Path, *words: object) -> subprocess.Popen[str]:
    """A sweep of a picture, into a folder."""
    return begin("sweep", picture, *words, *words_of(TINY), "--num_samples", SAMPLES,
                 "--output_dir", folder)  # fmt: skip


def measured(folder: Path) -> set[str]:
    """The names of trials that are done."""
    return {
        path.parent.name for path in folder.glob("*/sweep.yaml")
        if Record.read(path.parent, SAMPLES).metrics
    }  # fmt: skip


def end(driver: subprocess.Popen[str], code: int) -> str:
    """What a sweep said, when it has ended with this code."""
    out, err = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == code, err
    assert "Traceback" not in err
    assert "Warning" not in out + err
    return out + err


def outside(pid: int) -> set[str]:
    """Addresses of a sweep's sockets, and of Tune's, that can be reached from other machines."""
    return {
        local for local, remote, listens in sockets_of(session_of(pid))
        if not loopback(local) or not (listens or loopback(remote))
    }  # fmt: skip


def by_hand(picture: Path, folder: Path, stages: list[int], scales: list[float]) -> str:
    """The table of the same runs, trained and measured one after the other."""
    outcomes = []
    for seed in range(2):
        for scale in scales:
            for number in stages:
                run = ConSinGAN.train(
                    **TINY, input_name=str(picture), output_dir=str(folder), manualSeed=seed,
                    lr_scale=scale, train_stages=number, threads=1,
                )  # fmt: skip
                ask.evaluate(
                    {"model_dir": str(run), "task": "samples", "metrics": True, "threads": 1,
                     "num_samples": SAMPLES, "not_cuda": True}
                )  # fmt: skip
                written = yaml.safe_load((run / "Evaluation/metrics.yaml").read_text())["metrics"]
                model = ask.open_model(run, threads=1)
                error = (model.reconstruct() - model.real).square().mean().sqrt() * 127.5
                values = {"reconstruction": float(f"{float(error):.6g}")}
                values |= {name: entry["value"] for name, entry in written.items()}
                flags = {"lr_scale": scale, "train_stages": number}
                setting = Setting(f"lr_scale={scale} train_stages={number}", flags)
                outcomes.append(table.Outcome("", setting, picture.stem, seed, "done", values))
    return table.to_markdown(outcomes, "sliced_wasserstein")


@pytest.mark.fleet
def test_a_sweep_equals_its_runs_by_hand_however_it_was_killed(
    picture_file: Path, tmp_path: Path
) -> None:
    """6 settings x 2 seeds: Ctrl-C, then kill -9 of the driver, then of a worker, then the end."""
    folder = tmp_path / "D"
    bad: set[str] = set()
    words = ["--grid", "lr_scale=0.1,0.3,0.5", "train_stages=2:3", "--seeds", 2, "--workers", 2]

    with finishing(start(picture_file, folder, *words)) as driver:
        wait_for(lambda: bad.update(outside(driver.pid)) or len(measured(folder)) >= 2)
        driver.send_signal(signal.SIGINT)
        assert "the same command goes on" in end(driver, 130)
    assert not bad
    assert "not done" in (folder / "table.md").read_text()
    begun = {path.parent.name for path in folder.glob("[!.]*/config.yaml")}
    for name in begun - measured(folder):
        run = folder / name
        finished = (
            run / f"{saved.read_config(run).train_stages - 1}" / "netG.safetensors"
        ).exists()
        assert finished or (run / "checkpoint.safetensors").exists(), name

    with finishing(start(picture_file, folder, *words)) as driver:
        wait_for(lambda: len(measured(folder)) >= 6)
        driver.kill()
    wait_for(lambda: not workers(folder))  # Ray's processes end a little later than the driver
    before = {name: (folder / name / "sweep.yaml").stat().st_mtime_ns for name in measured(folder)}
    assert len(before) < 12

    with finishing(start(picture_file, folder, *words)) as driver:
        wait_for(lambda: workers(folder))
        name, process = next(iter(workers(folder).items()))
        kill(process)
        end(driver, 0)
    runs = ledger(folder)["runs"]
    assert len(runs) == 12
    assert set(states(folder).values()) == {"done"}
    assert runs[name]["attempts"] >= 2
    assert all((folder / n / "sweep.yaml").stat().st_mtime_ns == t for n, t in before.items())

    expected = by_hand(picture_file, tmp_path / "by_hand", [2, 3], [0.1, 0.3, 0.5])
    assert (folder / "table.md").read_text() == expected
    assert (folder / f"sheet_{picture_file.stem}.png").stat().st_size > 1000
    config = launch.configure({"config": str(folder / "best.yaml")})
    best = expected.splitlines()[6].split("|")[1].strip()
    assert f"lr_scale={config.lr_scale} train_stages={config.train_stages}" == best
    assert (config.niter, config.nfc, config.max_size) == (20, 4, 24)


def test_other_flags_than_last_time_are_refused(
    picture_file: Path, tmp_path: Path, script: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Told by the folder's books; no cluster is needed to see it."""
    from ConSinGAN.errors import UsageError
    from ConSinGAN.fleet import sweeping
    from ConSinGAN.fleet.place import FolderPlace

    folder, found = tmp_path / "D", []

    def only_books(sweep: sweeping.Sweep, _: object, folder: Path) -> list[table.Outcome]:
        sweeping.open_ledger(sweep, FolderPlace.prepare(folder, "mark"), sweep.trials())
        raise UsageError("as far as this")

    monkeypatch.setattr(sweep, "carry_out", only_books)

    def told(*words: object) -> str:
        done = script(fleet, "sweep", *words, "--output_dir", folder)
        assert done.code == 2
        found.append((folder / "fleet.yaml").read_text())
        return done.err

    first = [picture_file, "--grid", "niter=3,4", "--seeds", 2]
    assert "as far as this" in told(*first)
    assert "as far as this" in told(*first, "--minimise", "coherence", "--budget", "1h")
    assert "--grid was niter=3,4 when" in told(picture_file, "--grid", "niter=3:5")
    assert "--seeds was 2 when" in told(*first[:-1], 3)
    assert "--num_samples was 50 when" in told(*first, "--num_samples", 7)
    assert "--scheduler was not given when" in told(*first, "--scheduler", "asha")
    assert "--nfc was not given when" in told(*first, "--nfc", 4)
    other = write_picture(tmp_path / "other.png", seed=3)
    assert f"PICTURE: {other} was not among them when" in told(other, *first)
    write_picture(picture_file, seed=4)
    assert f"PICTURE: {picture_file} is not the same any more when" in told(*first)
    assert len(set(found)) == 1


@pytest.mark.fleet
def test_halving_a_budget_and_a_setting_that_diverges(picture_file: Path, tmp_path: Path) -> None:
    """What fails fails alone, what is bad ends early, and a budget leaves the rest for later."""
    folder = tmp_path / "D"
    words = ["--grid", "lr_g=0.0005,1e-9,1e30", "--seeds", 1, "--workers", 1, "--train_stages", 3]
    words += ["--scheduler", "asha", "--minimise", "reconstruction"]

    with finishing(start(picture_file, folder, *words, "--budget", "1s")) as driver:
        said = end(driver, 0)
    assert "of 3 trials in 1s, the same command goes on" in said

    with finishing(start(picture_file, folder, *words)) as driver:
        said = end(driver, 1)
    name = f"{picture_file.stem}-lr_g={{}}-seed=0"
    assert f"failed: {name.format('1e+30')}: a loss is not finite" in said
    text = (folder / "table.md").read_text()
    assert "| lr_g=0.0005 | 1 of 1 |" in text
    assert "| lr_g=1e-09 | 0 of 1, 1 stopped early |" in text
    assert "| lr_g=1e+30 | 0 of 1, 1 failed |" in text
    assert f"* {name.format('1e-09')}: after stage 1 of 3" in text
    assert yaml.safe_load((folder / "best.yaml").read_text())["lr_g"] == 0.0005
    assert not (folder / name.format("1e-09") / "2").exists()
