"""Messages: options by name in exceptions, as flags on the screen."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Outcome, as_flags

import ConSinGAN
import main_train
from ConSinGAN.errors import MAX_MESSAGE, ConSinGANError, UsageError, run_script


@pytest.mark.parametrize(
    ("marked", "plain", "typed", "option"),
    [
        ("`a` must be 1", "a must be 1", "--a must be 1", "a"),
        ("x.yaml, line 3: `a_b` 2", "x.yaml, line 3: a_b 2", "x.yaml, line 3: --a_b 2", "a_b"),
        ("`h`/`w` (see `s`)", "h/w (see s)", "--h/--w (see --s)", "h"),
        ("nothing marked", "nothing marked", "nothing marked", None),
        ("picture a`b`.png", "picture a`b`.png", "picture a`b`.png", None),
        ("not '`b`'", "not '`b`'", "not '`b`'", None),
        ("`rm -r x` is ` no name`", "`rm -r x` is ` no name`", "`rm -r x` is ` no name`", None),
        ("go on with: main --resume x", *["go on with: main --resume x"] * 2, None),
    ],
)
def test_options_are_marked(marked: str, plain: str, typed: str, option: str | None) -> None:
    error = UsageError(marked)
    assert (str(error), error.for_scripts(), error.option) == (plain, typed, option)


def test_messages_are_one_line_that_ends() -> None:
    error = UsageError("`niter`\n" + "x" * 10**6 + "\nend")
    assert str(error).startswith("niter xxx")
    assert error.for_scripts().startswith("--niter xxx")
    assert len(error.for_scripts().splitlines()) == 1
    assert len(error.for_scripts()) < MAX_MESSAGE + 100


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(UsageError("`niter` is wrong")))
    assert (str(error), error.for_scripts()) == ("niter is wrong", "--niter is wrong")


def test_scripts_speak_of_flags(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ConSinGANError("`niter` is wrong")

    assert run_script(fail) == 1
    assert capsys.readouterr().err == "error: --niter is wrong\n"


@pytest.mark.parametrize(
    ("options", "option", "words"),
    [
        ({"niter": 0}, "niter", "niter must be at least 1"),
        ({"lambda_grad": -1}, "lambda_grad", "lambda_grad must be at least 0"),
        ({"start_scale": 1}, "start_scale", "start_scale is an option of train_mode animation"),
        ({"input_name": "none.png"}, "input_name", "input_name none.png: there is no such file"),
        ({"fine_tune": True}, "fine_tune", "fine_tune needs model_dir"),
        ({"ker_size": 4}, "ker_size", "ker_size must be odd"),
        ({"fine_tune": True, "model_dir": "none"}, "model_dir", "model_dir none: there is no"),
        ({"config": "none.yaml"}, "config", "config none.yaml: cannot be read"),
    ],
)
def test_the_same_mistake_in_both_worlds(
    options: dict, option: str, words: str, script: Callable[..., Outcome]
) -> None:
    with pytest.raises(UsageError) as caught:
        ConSinGAN.train(**options)
    assert str(caught.value).startswith(words)
    assert "--" not in str(caught.value)
    assert "`" not in str(caught.value)
    assert caught.value.option == option
    outcome = script(main_train, *as_flags(options))
    assert (outcome.code, outcome.err) == (2, f"error: {caught.value.for_scripts()}\n")
    assert caught.value.for_scripts().startswith(f"--{option}")


def test_a_file_s_errors_name_line_and_option(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("run:\n  input_name: a.png\ntraining:\n  niter: 0\n")
    with pytest.raises(UsageError) as caught:
        ConSinGAN.train(config=path)
    assert str(caught.value) == f"{path}, line 4: niter must be at least 1, not 0"
    assert caught.value.option == "niter"


def raised_texts(path: Path) -> list[str]:
    """All literal text in what a file raises."""
    texts = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and node.exc is not None:
            inner = (n.value for n in ast.walk(node.exc) if isinstance(n, ast.Constant))
            texts += [value for value in inner if isinstance(value, str)]
    return texts


def test_no_module_speaks_of_flags_itself() -> None:
    """But for the parser, whose options are flags."""
    for path in (ROOT / "ConSinGAN").rglob("*.py"):
        flags = [text for text in raised_texts(path) if "--" in text and "--help" not in text]
        assert not flags, path
