"""The two scripts, from a picture to everything that evaluation writes, for every mode."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, TINY, Outcome, as_flags, files_below, paint, write_mask, write_picture
from PIL import Image

import evaluate_model
import main_train
from ConSinGAN import files, launch
from ConSinGAN.run import RunDirectory

Script = Callable[..., Outcome]

RUN = {"config.yaml", "reals.safetensors", "picture.safetensors", "noise.safetensors",
       "sample_sheet.png", "run.log"}  # fmt: skip
STAGE = {
    "netG.safetensors", "netD.safetensors", "real_scale.png", "sample_sheet.png", "events",
    "reconstruction_2.png", "fake_sample_2.png",
}  # fmt: skip
PREVIEWS = {
    "generation": set(), "retarget": set(), "animation": {"animation.gif"},
    "harmonization": {"harmonized_2.png", "harmonized_w_mask_2.png"},
    "editing": {"edited_2.png", "edited_w_mask_2.png"},
}  # fmt: skip
SAMPLE_FOLDERS = [
    "random_samples", "random_samples_scale_h_1_scale_w_2", "random_samples_scale_h_2_scale_w_1",
    "random_samples_scale_h_2_scale_w_2",
]  # fmt: skip
SAMPLES = {".manifest", "reconstruction.png"} | {
    f"{folder}/gen_sample_{i}.png" for folder in SAMPLE_FOLDERS for i in range(2)
}
GIFS = {".manifest", "settings.yaml", "reconstruction.png"} | {
    f"start_scale={start}_alpha=0.1_beta={beta}.gif"
    for start, beta in itertools.product((0, 1), (0.8, 0.85, 0.9, 0.95))
}
EVALUATION = {
    "generation": SAMPLES, "retarget": SAMPLES, "animation": GIFS,
    "harmonization": {".manifest", "harmonized_wo_mask_naive.png", "harmonized_w_mask_naive.png",
                      "real_image.png", "reconstruction.png"},
    "editing": {".manifest", "edited_wo_mask_naive.png", "edited_w_mask_naive.png",
                "real_image.png", "reconstruction.png"},
}  # fmt: skip
COMPOSITES = ("harmonization", "editing")


def few(mode: str) -> list[object]:
    """Flags under which a model of the mode draws little."""
    if mode in COMPOSITES:
        return ["--not_cuda"]
    return ["--not_cuda", *(("--num_frames", 3) if mode == "animation" else ("--num_samples", 2))]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a picture, a naive picture and its mask."""
    write_picture(tmp_path / "picture.png")
    write_picture(tmp_path / "naive.png", seed=1)
    write_mask(tmp_path / "naive_mask.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tiny_flags(**options: object) -> list[str]:
    return as_flags(TINY | {"input_name": "picture.png"} | options)


def only_run(folder: Path = Path("TrainedModels")) -> Path:
    (path,) = folder.glob("*/*")
    return path


def assert_silent(outcome: Outcome) -> None:
    """It went well, and nothing looks as if it had not."""
    assert outcome.code == 0, outcome.err
    for word in ("warn", "error", "traceback", "deprecat", "nan", "inf"):
        assert word not in outcome.err.lower()
    for line in outcome.err.splitlines():
        assert line.startswith(("stage ", *PREVIEWS)) or "transparent" in line, line


def stage_files(mode: str, stages: range, naive: bool) -> set[str]:
    previews = PREVIEWS[mode] if naive or mode not in COMPOSITES else set()
    return {f"{stage}/{name}" for stage in stages for name in STAGE | previews}


@pytest.mark.parametrize("mode", PREVIEWS)
def test_train_then_evaluate(mode: str, desk: Path, script: Script) -> None:
    naive = {"naive_img": "naive.png"} if mode in COMPOSITES else {}
    outcome = script(main_train, *tiny_flags(train_mode=mode, **naive))
    assert_silent(outcome)
    run = only_run()
    assert str(run) in outcome.out
    assert "python evaluate_model.py --model_dir" in outcome.out
    norm = "_BN" if mode in COMPOSITES else ""
    slope = 0.3 if mode == "harmonization" else 0.05
    assert run.parent.name == "picture"
    assert run.name.endswith(f"_{mode}_train_depth_3_lr_scale_0.1{norm}_act_lrelu_{slope}")
    made = RUN | stage_files(mode, range(2), naive=bool(naive))
    assert files_below(run) == made

    outcome = script(evaluate_model, "--model_dir", run, *few(mode), *as_flags(naive))
    assert_silent(outcome)
    assert outcome.out == f"done: {run / 'Evaluation'}\n"
    assert files_below(run) == made | {f"Evaluation/{name}" for name in EVALUATION[mode]}


@pytest.mark.parametrize("mode", COMPOSITES)
def test_fine_tune_then_evaluate(
    mode: str, desk: Path, script: Script, trained: Callable[[str], Path]
) -> None:
    saved = trained(mode)
    before = files_below(saved)
    tune = {"fine_tune": True, "model_dir": saved, "naive_img": "naive.png", "niter": 2}
    assert_silent(script(main_train, *as_flags(tune | {"not_cuda": True})))
    run = only_run()
    assert f"_{mode}_fine-tune_train_depth_3" in run.name
    made = RUN | stage_files(mode, range(1, 2), naive=True)
    assert files_below(run) == made
    assert files_below(saved) == before
    config = RunDirectory(run).load_config()
    assert (config.niter, config.nfc, config.train_mode) == (2, TINY["nfc"], mode)
    for name in ("netG", "netD"):
        weights = (folder / "1" / f"{name}.safetensors" for folder in (saved, run))
        assert len({path.read_bytes() for path in weights}) == 2

    assert_silent(
        script(evaluate_model, "--model_dir", run, "--naive_img", "naive.png", *few(mode))
    )
    assert files_below(run) == made | {f"Evaluation/{name}" for name in EVALUATION[mode]}


def test_fine_tuning_on_another_picture(
    desk: Path, script: Script, trained: Callable[[str], Path]
) -> None:
    write_picture(desk / "other.jpg", 40, 44, seed=3)
    write_picture(desk / "other_naive.jpg", 40, 44, seed=4)
    flags = {"fine_tune": True, "model_dir": trained("editing"), "naive_img": "other_naive.jpg",
             "input_name": "other.jpg", "niter": 2, "not_cuda": True}  # fmt: skip
    assert_silent(script(main_train, *as_flags(flags)))
    run = only_run()
    assert run.parent.name == "other"
    naive = ["--naive_img", "other_naive.jpg", "--not_cuda"]
    assert_silent(script(evaluate_model, "--model_dir", run, *naive))
    with Image.open(run / "Evaluation" / "edited_wo_mask_other_naive.png") as picture:
        assert picture.size == (24, 22)


PICTURES = ["RGB.jpg", "RGB.png", "RGBA.png", "L.png", "P.png", "CMYK.jpg", "LA.png", "1.png"]


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_trains(name: str, desk: Path, script: Script) -> None:
    """Landscape and portrait, with and without transparency."""
    height, width = (30, 45) if PICTURES.index(name) % 2 else (45, 30)
    kind = Path(name).stem
    picture = Image.fromarray(paint(height, width))
    if kind in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(np.full((height, width), 128, np.uint8)))
    picture.convert(kind).save(desk / name)
    outcome = script(main_train, *tiny_flags(input_name=name))
    assert_silent(outcome)
    assert outcome.err.count("transparent") == (kind in ("RGBA", "LA"))
    with Image.open(only_run() / "1" / "real_scale.png") as finest:
        assert finest.mode == "RGB"
        assert (finest.width > finest.height) == (width > height)


# Evaluation's flags ---------------------------------------------------------------------------


def evaluate(script: Script, run: Path, *flags: object) -> Path:
    mode = RunDirectory(run).load_config().train_mode
    assert_silent(script(evaluate_model, "--model_dir", run, *few(mode), *flags))
    return run / "Evaluation"


@pytest.fixture
def run_of(trained: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A trained run of a mode, not evaluated yet, with weights by which noise becomes visible."""

    def copy(mode: str) -> Path:
        run = shutil.copytree(trained(mode), tmp_path / "runs" / mode)
        path = run / "1" / "netG.safetensors"
        weights, _ = files.load_tensors(path)
        files.save_tensors(path, {name: 6 * w for name, w in weights.items()})
        return run

    return copy


@pytest.mark.parametrize(
    ("flags", "folder", "size"),
    [
        (["--scale_h", 2], "random_samples_scale_h_2_scale_w_1", (24, 32)),
        (["--scale_w", 1.5], "random_samples_scale_h_1_scale_w_1.5", (36, 16)),
        (["--scale_h", 0.75, "--scale_w", 2], "random_samples_scale_h_0.75_scale_w_2", (48, 12)),
        (["--size", 21, 50], "random_samples_size_h_21_w_50", (50, 21)),
        (["--scale_h", 1, "--scale_w", 1], "random_samples", (24, 16)),
    ],
)
def test_samples_of_other_sizes(
    flags: list, folder: str, size: tuple[int, int], run_of: Callable, script: Script
) -> None:
    made = evaluate(script, run_of("generation"), *flags)
    samples = {f"{folder}/gen_sample_{i}.png" for i in range(2)}
    assert files_below(made) == {".manifest", "reconstruction.png"} | samples
    with Image.open(made / folder / "gen_sample_0.png") as picture:
        assert picture.size == size


def test_seeds_repeat_what_was_drawn(run_of: Callable, script: Script) -> None:
    run = run_of("generation")
    sample = Path("Evaluation", "random_samples", "gen_sample_1.png")

    def draw(seed: int) -> bytes:
        evaluate(script, run, "--seed", seed)
        return (run / sample).read_bytes()

    assert draw(4) == draw(4) != draw(5)


@pytest.mark.parametrize("mode", ["generation", "editing"])
def test_jpegs_if_wanted(mode: str, desk: Path, run_of: Callable, script: Script) -> None:
    naive = ["--naive_img", "naive.png"] if mode == "editing" else []
    made = evaluate(script, run_of(mode), "--format", "jpg", *naive)
    names = files_below(made)
    beside = {"settings.yaml"}
    assert {name.replace(".jpg", ".png") for name in names - beside} == EVALUATION[mode]
    for name in names - beside - {".manifest"}:
        with Image.open(made / name) as picture:
            assert picture.format == "JPEG"


def test_gifs_have_the_wanted_frames_and_speed(run_of: Callable, script: Script) -> None:
    made = evaluate(script, run_of("animation"), "--num_frames", 5, "--fps", 20)
    for path in made.glob("*.gif"):
        with Image.open(path) as gif:
            assert (gif.n_frames, gif.info["duration"]) == (5, 50)
            assert gif.size == (24, 16)


def test_looped_gifs_at_a_rate_of_no_whole_hundredths(run_of: Callable, script: Script) -> None:
    run = run_of("animation")
    evaluate(script, run, "--num_frames", 6, "--seed", 3)
    opened = {p.name: p.read_bytes() for p in (run / "Evaluation").glob("*.gif")}
    made = evaluate(script, run, "--num_frames", 6, "--seed", 3, "--fps", 30, "--loop")
    assert files_below(made) == GIFS
    for path in made.glob("*.gif"):
        durations = []
        with Image.open(path) as gif:
            for index in range(gif.n_frames):
                gif.seek(index)
                durations.append(gif.info["duration"])
        assert durations == [30, 40, 30] * 2
        assert path.read_bytes() != opened[path.name]


def test_a_mask_may_lie_anywhere_or_be_absent(desk: Path, run_of: Callable, script: Script) -> None:
    (desk / "naive_mask.png").rename(desk / "elsewhere.png")
    run = run_of("harmonization")
    without = EVALUATION["harmonization"] - {"harmonized_w_mask_naive.png"}
    made = evaluate(script, run, "--naive_img", "naive.png")
    assert files_below(made) == without
    evaluate(script, run, "--naive_img", "naive.png", "--mask", "elsewhere.png")
    assert files_below(made) == EVALUATION["harmonization"]


def test_evaluation_needs_the_run_directory_alone(
    tmp_path: Path, run_of: Callable, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("generation")
    (tmp_path / "far").mkdir()
    moved = run.rename(tmp_path / "far" / "away")
    monkeypatch.chdir(tmp_path / "far")
    assert files_below(evaluate(script, Path("away"))) == SAMPLES
    assert moved.is_dir()


# As a user does it ----------------------------------------------------------------------------


def test_scripts_from_a_shell(desk: Path) -> None:
    """Default warnings, another working directory, a picture's name with dots and spaces."""
    (desk / "picture.png").rename(desk / "a picture v1.2.png")

    def python(name: str, *flags: object) -> str:
        command = [sys.executable, "-W", "default", str(ROOT / name), *map(str, flags)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert_silent(Outcome(done.returncode, done.stdout, done.stderr))
        return done.stdout

    out = python("main_train.py", *tiny_flags(input_name="a picture v1.2.png"))
    run = only_run()
    assert run.parent.name == "a picture v1.2"
    assert f"--model_dir '{run}'" in out
    python("evaluate_model.py", "--model_dir", run, *few("generation"))
    assert files_below(run / "Evaluation") == SAMPLES


def test_the_first_command_of_a_newcomer_finds_its_picture() -> None:
    """Without flags the bundled picture is meant, wherever the script is started from."""
    config = launch.configure(main_train.parse(["--train_mode", "generation"]))
    assert (ROOT / config.input_name).is_file()


def test_a_runs_config_file_repeats_the_run(desk: Path, script: Script) -> None:
    assert_silent(script(main_train, *tiny_flags(precision="fp32")))
    first = only_run()
    again = ["--config", first / "config.yaml", "--output_dir", "again"]
    assert_silent(script(main_train, *again))
    second = only_run(Path("again"))
    for name in ("1/netG.safetensors", "1/netD.safetensors", "noise.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
