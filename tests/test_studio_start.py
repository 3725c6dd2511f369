"""Starting the studio: flags, and that nothing is loaded for them."""

from __future__ import annotations

import pytest
from conftest import Outcome, check_code

from ConSinGAN.errors import UsageError
from ConSinGAN.studio import __main__ as studio
from ConSinGAN.studio import options, server


@pytest.mark.parametrize("words", [["--help"], ["--no_such_flag"], ["--host", "0.0.0.0"]])
def test_flags_need_neither_gradio_nor_torch(words: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['studio', *{words}]\n"
        "from ConSinGAN.studio import __main__ as studio\n"
        "try:\n    studio.run()\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'gradio', 'fastapi'} & set(sys.modules), 'loaded'\n"
    )
    check_code(code)


def test_the_page_needs_no_torch() -> None:
    """It opens in seconds, and its process stays small."""
    pytest.importorskip("gradio", reason="the studio needs Gradio")
    code = (
        "import sys\n"
        "from ConSinGAN.studio import server, site\n"
        "assert 'torch' not in sys.modules, 'loaded'\n"
    )
    check_code(code)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: others in the network could use this machine"),
        (["--host", "192.168.1.5", "--auth", "me:"], "--auth takes USER:PASSWORD"),
        (["--host", "a b", "--auth", "me:secret"], "--host takes an address"),
        (["--auth", "me"], "--auth takes USER:PASSWORD"),
        (["--port", "0"], "--port must be at least 1"),
        (["--port", "70000"], "--port must be at most 65535"),
        (["--models", "/dev/null/models"], "--models /dev/null/models:"),
    ],
)
def test_wrong_flags_are_told_in_one_line(script, words: list[str], said: str) -> None:
    outcome: Outcome = script(studio, "--no-browser", *words)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {said}")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_this_machine_needs_no_password(host: str) -> None:
    assert options.configure({"host": host}).login is None


def test_a_password_may_have_colons() -> None:
    config = options.configure({"host": "0.0.0.0", "auth": "me:a:b"})
    assert config.login == ("me", "a:b")


def test_a_bad_value_from_python() -> None:
    with pytest.raises(UsageError, match="port"):
        options.configure({"port": "x"})


def test_two_that_begin_at_the_same_moment_take_two_ports() -> None:
    """Before either of them answers."""
    config = options.configure({})
    with server._listen(config) as one, server._listen(config) as other:
        assert one.getsockname()[1] != other.getsockname()[1]
