"""The house: imports go one way, files stay short, flags need no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, check_code

PACKAGE = ROOT / "ConSinGAN"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def most_specific(name: str) -> str | None:
    """The module of the package that a dotted name is, or is in."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def imports(path: Path) -> set[str]:
    """Every module of the package that a file names, wherever in the file and whatever for."""
    found: set[str | None] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {most_specific(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found |= {most_specific(f"{node.module}.{alias.name}") for alias in node.names}
        elif isinstance(node, ast.Constant) and node.value in set(MODULES) - {"ConSinGAN"}:
            found.add(node.value)  # for importlib, say
    return {name for name in found if name}


GRAPH = {name: imports(path) - {name} for name, path in MODULES.items()}


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Modules that import each other in a circle, if there are any."""
    done: set[str] = set()

    def walk(name: str, above: list[str]) -> list[str] | None:
        if name in above:
            return [*above[above.index(name) :], name]
        if name in done:
            return None
        for other in sorted(graph[name]):
            if found := walk(other, [*above, name]):
                return found
        done.add(name)
        return None

    return next((found for name in sorted(graph) if (found := walk(name, []))), None)


def test_imports_have_no_circle() -> None:
    assert circle(GRAPH) is None, " -> ".join(circle(GRAPH) or [])


def test_the_search_finds_circles() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c", "b"]


def test_nothing_imports_the_scripts() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import main_train" not in text, path
        assert "import evaluate_model" not in text, path


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.py")) + sorted(PACKAGE.rglob("*.py")), ids=str)
def test_files_are_short(path: Path) -> None:
    most = {"training.py": 200, "main_train.py": 60, "evaluate_model.py": 60}.get(path.name, 400)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= most


def test_the_fleets_driver_needs_neither_torch_nor_numpy() -> None:
    """Its memory and its answers are a matter of what it loads."""
    code = (
        "import sys, importlib\n"
        "for name in ('train', 'draw', 'metrics', 'sweep'):\n"
        "    importlib.import_module(f'ConSinGAN.fleet.{name}').make_parser()\n"
        "assert not {'torch', 'numpy', 'ray'} & set(sys.modules), 'loaded'\n"
    )
    check_code(code)


@pytest.mark.parametrize("script", ["main_train", "evaluate_model"])
def test_flags_need_neither_torch_nor_numpy(script: str) -> None:
    """So that --help and wrong flags answer at once."""
    for words in (["--help"], ["--no_such_flag"]):
        code = (
            f"import sys; sys.argv = ['{script}.py', *{words}]\n"
            f"import {script}\n"
            "try:\n    main = " + script + ".run()\nexcept SystemExit:\n    pass\n"
            "assert not {'torch', 'numpy'} & set(sys.modules), 'loaded'\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
