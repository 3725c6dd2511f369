"""Trained models by the dozen, without training them: copies of one run under several names."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ConSinGAN.fleet import asking, cluster
from ConSinGAN.fleet.options import FleetConfig

WORKERS = FleetConfig(workers=2)


@pytest.fixture(scope="module")
def ray_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cluster.Cluster]:
    """Ray, started once for a module's tests; neither it nor they find weights of torchvision."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        with cluster.connected(WORKERS) as there:
            yield there


@pytest.fixture
def joined(ray_here: cluster.Cluster, monkeypatch: pytest.MonkeyPatch) -> cluster.Cluster:
    """Let commands of the fleet in this process use the Ray that is there."""
    monkeypatch.setattr(
        asking.cluster, "connected", lambda config: contextlib.nullcontext(ray_here)
    )
    return ray_here


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray must not be started."""

    def refuse(config: FleetConfig) -> Any:
        raise AssertionError("Ray is started")

    monkeypatch.setattr(asking.cluster, "connected", refuse)


def copies(run: Path, folder: Path, *names: str) -> Path:
    """A folder with copies of a run."""
    for name in names:
        shutil.copytree(run, folder / name)
    return folder


def damage(run: Path) -> None:
    """Cut the weights of a run short."""
    path = run / "1/netG.safetensors"
    path.write_bytes(path.read_bytes()[:-7])


def unfinish(run: Path) -> None:
    """Let a run look as if it had been stopped in its last stage."""
    (run / "1/netG.safetensors").unlink()


def contents(folder: Path) -> dict[str, bytes]:
    """The files that were drawn into a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
