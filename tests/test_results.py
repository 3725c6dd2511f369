"""The folder of an evaluation: exactly its own files, and nothing of anybody else's touched."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Outcome, files_below, write_mask, write_picture

import evaluate_model
from ConSinGAN import atomic, lock
from ConSinGAN.errors import UsageError
from ConSinGAN.results import MANIFEST, Results

Script = Callable[..., Outcome]


def write(folder: Path, *names: str, text: str = "ours") -> None:
    with Results(folder) as results:
        for name in names:
            results.path(name).write_text(text)


def test_an_evaluation_leaves_exactly_its_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "results"
    write(folder, "a.png", "few/0.png", "few/1.png", "many/0.png")
    write(folder, "a.png", "few/0.png", "new/0.png")
    assert files_below(folder) == {MANIFEST, "a.png", "few/0.png", "new/0.png"}
    assert not (folder / "many").exists()
    write(folder, "b.png")
    assert files_below(folder) == {MANIFEST, "b.png"}


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    write(tmp_path, "few/0.png", "few/1.png", "few/2.png", "many/0.png")
    (tmp_path / "few" / "mine.png").write_text("mine")
    (tmp_path / "few" / "9.png").write_text("mine")
    (tmp_path / "few" / "1.png").write_text("painted over by me")
    (tmp_path / "many" / "note.txt").write_text("mine")
    (tmp_path / "metrics.yaml").write_text("mine")
    write(tmp_path, "few/0.png")
    others = {"few/mine.png", "few/9.png", "few/1.png", "many/note.txt", "metrics.yaml"}
    assert files_below(tmp_path) == others | {MANIFEST, "few/0.png"}


def test_a_stopped_evaluation_is_tidied_up_by_the_next(tmp_path: Path) -> None:
    write(tmp_path, "old.png")
    with pytest.raises(RuntimeError), Results(tmp_path) as results:
        results.path("half/0.png").write_text("half")
        raise RuntimeError
    assert files_below(tmp_path) == {MANIFEST, "old.png", "half/0.png"}
    assert not lock.is_held(tmp_path)
    write(tmp_path, "new.png")
    assert files_below(tmp_path) == {MANIFEST, "new.png"}


@pytest.mark.parametrize("name", ["../out.txt", "/{}/out.txt", "link/out.txt", "nothing", "few"])
def test_a_strangers_manifest_removes_nothing_outside(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.txt"
    out.write_text("precious")
    folder = tmp_path / "results"
    write(folder, "few/0.png")
    (folder / "link").symlink_to(tmp_path)
    (folder / MANIFEST).write_text(f"- {name.format(tmp_path)}\n\x00\n- \n-\n")
    write(folder, "a.png")
    assert out.read_text() == "precious"
    assert (folder / "few" / "0.png").exists()


@pytest.mark.parametrize("link", ["samples", MANIFEST, lock.NAME])
def test_a_strangers_links_are_not_followed(tmp_path: Path, link: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = elsewhere if link == "samples" else elsewhere / "file"
    if target != elsewhere:
        target.write_text("precious")
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / link).symlink_to(target)
    before = {path: path.read_text() for path in elsewhere.iterdir()}
    with pytest.raises(UsageError, match="refused"):
        write(folder, "samples/0.png")
    assert {path: path.read_text() for path in elsewhere.iterdir()} == before


def test_names_of_any_kind_are_listed_on_a_line(tmp_path: Path) -> None:
    names = ["a b.png", "ünï 日.png", "line\nfeed.png", "back\\slash.png", "\udcff.png"]
    write(tmp_path, *names)
    write(tmp_path, "a.png")
    assert files_below(tmp_path) == {MANIFEST, "a.png"}


@pytest.mark.parametrize("option", ["output_dir", "model_dir"])
def test_where_nothing_can_be_written(tmp_path: Path, option: str) -> None:
    (tmp_path / "file").write_text("a file")
    folder = tmp_path / "file" / "results"
    with (
        pytest.raises(UsageError, match=f"^{option} .*cannot be written") as caught,
        Results(folder, f"`{option}`"),
    ):
        pass
    assert "output_dir" in str(caught.value)


def test_another_evaluation_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ConSinGAN")
    order = []
    with lock.hold(tmp_path, keep=False):
        waiting = threading.Thread(
            target=lambda: (write(tmp_path, "a.png"), order.append("second"))
        )
        waiting.start()
        waiting.join(0.3)
        order.append("first")
    waiting.join(20)
    assert order == ["first", "second"]
    assert "another evaluation is writing here" in caplog.text
    assert files_below(tmp_path) == {MANIFEST, "a.png"}


def test_temporary_names_are_never_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert len({atomic.temporary_name(path) for _ in range(100)}) == 100
    long = tmp_path / ("x" * 255)
    atomic.write_atomic(long, b"whole")
    assert long.read_bytes() == b"whole"


def _hammer(path: Path, text: bytes) -> None:
    for _ in range(200):
        atomic.write_atomic(path, text, durable=False)


def test_one_file_may_be_written_by_several_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    texts = [letter * 5000 for letter in (b"a", b"b", b"c")]
    context = multiprocessing.get_context("fork" if os.name != "nt" else "spawn")
    processes = [context.Process(target=_hammer, args=(path, text)) for text in texts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert path.read_bytes() in texts
    assert files_below(tmp_path) == {"a.png"}


# From the command line --------------------------------------------------------------------------


def test_fewer_samples_leave_no_old_ones(
    trained: Callable[[str], Path], tmp_path: Path, script: Script
) -> None:
    out = tmp_path / "out"
    words = ["--model_dir", trained("generation"), "--output_dir", out, "--not_cuda"]
    assert script(evaluate_model, *words, "--num_samples", 6).code == 0
    assert len(files_below(out)) == 4 * 6 + 2
    (out / "metrics.yaml").write_text("kept")
    outcome = script(evaluate_model, *words, "--num_samples", 2, "--scale_h", 1)
    assert "removed" in outcome.err
    samples = {f"random_samples/gen_sample_{i}.png" for i in range(2)}
    assert files_below(out) == samples | {MANIFEST, "reconstruction.png", "metrics.yaml"}


def test_composites_are_called_after_their_picture(
    trained: Callable[[str], Path], tmp_path: Path, script: Script
) -> None:
    for name in ("one", "two"):
        write_picture(tmp_path / f"{name}.png", seed=len(name))
    write_mask(tmp_path / "one_mask.png")
    out = tmp_path / "out"
    words = ["--model_dir", trained("harmonization"), "--output_dir", out, "--not_cuda"]
    rest = {MANIFEST, "reconstruction.png", "real_image.png"}
    script(evaluate_model, *words, "--naive_img", tmp_path / "one.png")
    both = {"harmonized_w_mask_one.png", "harmonized_wo_mask_one.png"}
    assert files_below(out) == rest | both
    script(evaluate_model, *words, "--naive_img", tmp_path / "two.png")
    assert files_below(out) == rest | {"harmonized_wo_mask_two.png"}


def test_two_evaluations_of_one_run_at_once(trained: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable, str(ROOT / "evaluate_model.py"), "--model_dir", str(trained("generation")),
        "--output_dir", str(out), "--not_cuda", "--scale_h", "1", "--num_samples",
    ]  # fmt: skip
    running = [
        subprocess.Popen([*command, number], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in ("40", "41")
    ]
    for process in running:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert len(list(out.glob("random_samples/*.png"))) in (40, 41)
    assert not list(out.rglob(".*.tmp"))
    assert not (out / lock.NAME).exists()


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder can be written, whoever runs the tests."""
    monkeypatch.setattr(Results, "why_unwritable", lambda self: "Read-only file system")


@pytest.mark.usefixtures("unwritable")
def test_metrics_of_a_read_only_run_are_printed(
    trained: Callable[[str], Path], script: Script
) -> None:
    run = trained("generation")
    before = files_below(run)
    words = ["--model_dir", run, "--not_cuda", "--num_samples", 2]
    outcome = script(evaluate_model, *words, "--metrics")
    assert outcome.code == 0
    assert "sliced_wasserstein" in outcome.out
    first = outcome.err.splitlines()[0]
    assert "cannot be written" in first
    assert "--output_dir" in first
    outcome = script(evaluate_model, *words)
    assert outcome.code == 2
    assert "--model_dir" in outcome.err
    assert "--output_dir" in outcome.err
    assert files_below(run) == before
