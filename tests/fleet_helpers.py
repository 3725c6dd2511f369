"""Starting fleets from tests, watching and killing them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT, write_picture

import ConSinGAN
from ConSinGAN.fleet import lease

SMALL = {
    "train_stages": 3, "min_size": 12, "max_size": 32, "nfc": 8, "niter": 20, "not_cuda": True,
    "manualSeed": 5, "checkpoint_seconds": 0.0, "precision": "fp32", "preview_every": 1000,
}  # fmt: skip
PATIENCE = 240  # seconds after which a fleet hangs


def words_of(options: dict[str, Any]) -> list[str]:
    """Options as they are typed."""
    return [
        word
        for name, value in options.items()
        for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])
    ]


def paint_folder(folder: Path, number: int) -> Path:
    """A folder with so many small pictures."""
    folder.mkdir()
    for i in range(number):
        write_picture(folder / f"picture{i}.png", 32, 40, seed=i)
    return folder


def begin(*words: object, **environment: str) -> subprocess.Popen[str]:
    """Start a fleet's command in a session of its own."""
    command = [sys.executable, "-m", "ConSinGAN.fleet", *map(str, words)]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=os.environ | environment,
    )  # fmt: skip


def fleet(*words: object, **environment: str) -> tuple[int, str, str]:
    """A fleet's command to its end: the exit code, standard output and error."""
    with finishing(begin(*words, **environment)) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    return process.returncode, out, err


@contextlib.contextmanager
def finishing(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Leave no process of a fleet behind, whatever happens."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)


def wait_for(what: Callable[[], object], seconds: float = 90) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def workers(folder: Path) -> dict[str, int]:
    """The processes that train in a fleet's folder in this moment, by the name of the run."""
    found = {}
    for path in (folder / ".fleet/leases").glob("[!.]*"):
        content = lease._read(path)
        if content is not None and not lease.is_gone(content):
            found[path.name] = int(content["pid"])
    return found


def kill(pid: int) -> None:
    """Kill a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def ledger(folder: Path) -> dict[str, Any]:
    """What fleet.yaml says."""
    return yaml.safe_load((folder / "fleet.yaml").read_text())


def states(folder: Path) -> dict[str, str]:
    """The state of every run, by name."""
    return {name: entry["state"] for name, entry in ledger(folder)["runs"].items()}


def trained_alone(picture: Path, folder: Path, **options: Any) -> Path:
    """The run directory of a single training with one thread."""
    options = SMALL | {"checkpoint_seconds": 1000.0} | options
    return ConSinGAN.train(input_name=str(picture), output_dir=str(folder), threads=1, **options)


def compare(alone: Path, run: Path) -> None:
    """Bit for bit the same tensors and samples, and nothing left over."""
    names = {path.relative_to(alone) for path in alone.rglob("*.safetensors")}
    assert names == {path.relative_to(run) for path in run.rglob("*.safetensors")}
    for name in (*names, "sample_sheet.png"):
        assert (alone / name).read_bytes() == (run / name).read_bytes(), name
    assert not [path for path in run.rglob("*") if path.name.endswith(".tmp")]


def session_of(pid: int) -> set[int]:
    """All processes of a session: of a fleet and of Ray's, wherever they were moved since."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == pid:
            found.add(int(stat.parent.name))
    return found


def sockets_of(pids: set[int]) -> list[tuple[str, str, bool]]:
    """(local address, remote address, listens) of every TCP and UDP socket of processes."""
    mine = set()
    for pid in pids:
        try:
            links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        mine |= {link[8:-1] for link in links if link.startswith("socket:[")}
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in mine:
                listens = fields[3] == "0A" or (table.startswith("udp") and fields[3] == "07")
                found.append((fields[1], fields[2], listens))
    return found


def sockets_after_closing() -> list[str]:
    """Connections to where clouds tell what a machine is, also those that are over."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[2].startswith("FEA9FEA9")]


def loopback(address: str) -> bool:
    """Whether an address of the kernel's table is of the loopback interface."""
    host = address.partition(":")[0]
    return host == "0100007F" or host in (
        "0000000000000000FFFF00000100007F", "00000000000000000000000001000000",
    )  # fmt: skip
