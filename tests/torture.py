"""Kill a tiny run with SIGKILL again and again, let it end, and compare it with an undisturbed one.

    python tests/torture.py CASE KILLS FOLDER SEED

CASE is a mode, "fine-tune harmonization", "fine-tune editing", an objective (BEGAN's k and the
margins that hinge draws are part of a run, too) or "all"; FOLDER is made. The last
line printed is JSON: for each case how many kills there were and where they hit.

Each attempt is a forked child that kills itself: at a random time, in a random iteration, at a
random write (half of the temporary file on disk, or all of it and not renamed), or between the two
renames that put a new checkpoint in place. The parent never computes, which makes forking safe.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch._dynamo  # which every optimizer imports: once here instead of in every child
from conftest import TINY, write_mask, write_picture

import ConSinGAN
from ConSinGAN import atomic, images, launch
from ConSinGAN.methods.adversarial import Adversarial
from ConSinGAN.watch import tensorboard

MODES = ["generation", "retarget", "animation", "harmonization", "editing"]
OBJECTIVES = {
    "began": {"objective": "began"},
    "hinge": {"objective": "hinge", "label_smoothing": 0.2},
    "wgan": {"objective": "wgan"},
}
CASES = [*MODES, "fine-tune harmonization", "fine-tune editing", *OBJECTIVES]
PATIENCE = 60  # seconds after which a child hangs


@dataclass
class Ending:
    """How a child ended: killed `where`, or finished."""

    killed: bool
    where: str


class Bench:
    """Files, options and the undisturbed runs of all cases, in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.log = folder / "children.log"
        self.finished: dict[str, Path] = {}
        write_picture(folder / "picture.png")
        write_picture(folder / "naive.png", seed=1)
        write_mask(folder / "naive_mask.png")

    def options(self, case: str, output: str) -> dict:
        """Options of a run that takes a second and writes about 80 files."""
        objective = OBJECTIVES.get(case, {})
        *tune, mode = case.split() if not objective else ["generation"]
        chosen = TINY | {"train_stages": 3, "niter": 6, "train_mode": mode, "precision": "auto"}
        chosen |= {"preview_every": 3, "checkpoint_seconds": 0.0}
        chosen |= {"input_name": str(self.folder / "picture.png")}
        chosen |= {"output_dir": str(self.folder / output)}
        chosen |= objective
        if tune:
            chosen |= {"fine_tune": True, "model_dir": str(self.undisturbed(mode)), "niter": 15}
            chosen |= {"naive_img": str(self.folder / "naive.png")}
        return chosen

    def undisturbed(self, case: str) -> Path:
        """The run of a case that nobody disturbed, made once."""
        if case not in self.finished:
            options = self.options(case, f"undisturbed {case}")
            ending = self.child(lambda: ConSinGAN.train(**options), plan=lambda say: None)
            assert not ending.killed
            self.finished[case] = found(options)
        return self.finished[case]

    def child(self, work: Callable[[], object], plan: Callable[[Callable], None]) -> Ending:
        """Work in a forked child under a plan to kill it, which says where it strikes."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(log, 1)
                os.dup2(log, 2)
                plan(lambda where: os.write(writing, where.encode()))
                work()
                code = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(code)
        os.close(writing)
        alarm = threading.Timer(PATIENCE, os.kill, (pid, signal.SIGABRT))
        alarm.start()
        _, status = os.waitpid(pid, 0)
        alarm.cancel()
        alarm.join()
        with os.fdopen(reading, "rb") as pipe:
            where = pipe.read().decode()
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or status == 0, f"child ended with {status}: {self.log.read_text()}"
        assert killed == bool(where), where
        return Ending(killed, where)


def found(options: dict) -> Path | None:
    """The run directory below --output_dir, if it has come into being."""
    configs = [
        path
        for path in Path(options["output_dir"]).glob("*/*/config.yaml")
        if not path.parent.name.startswith(".")
    ]
    assert len(configs) <= 1, configs
    return configs[0].parent if configs else None


def make_plan(rng: random.Random) -> Callable[[Callable], None]:
    """A random way to die."""
    kind = rng.choice(["time", "iteration", "half a file", "a whole file", "renames"])
    count, delay = rng.randint(1, 12), rng.uniform(0, 0.6)

    def plan(say: Callable[[str], None]) -> None:
        def die(detail: str) -> None:
            say(f"{kind}: {detail}")
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(PATIENCE)

        if kind == "time":
            threading.Thread(
                target=lambda: (time.sleep(delay), die(f"{delay:.2f} s")), daemon=True
            ).start()
        elif kind == "iteration":
            count_down(Adversarial, "step", count, lambda *_: die(f"{count}th"))
        elif kind == "renames":
            kill_between_renames(count, die)
        else:
            kill_in_write(kind == "half a file", count, die)

    return plan


def count_down(owner: object, name: str, count: int, strike: Callable[..., None]) -> None:
    """Strike at the count-th call of a function, before it does anything."""
    original, calls = getattr(owner, name), 0

    def counting(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == count:
            strike(*arguments)
        return original(*arguments, **named)

    setattr(owner, name, counting)


def kill_in_write(half: bool, count: int, die: Callable[[str], None]) -> None:
    def strike(path: Path, data: bytes, *_: object) -> None:
        atomic.temporary_name(path).write_bytes(data[: len(data) // 2] if half else data)
        die(path.name)

    count_down(atomic, "write_atomic", count, strike)
    images.write_atomic = atomic.write_atomic


def kill_between_renames(count: int, die: Callable[[str], None]) -> None:
    replace, calls = Path.replace, 0

    def counting(self: Path, target: Path) -> Path:
        nonlocal calls
        if self.name == "checkpoint_new.safetensors":
            calls += 1
            if calls == count:
                die("checkpoint moved away, new one not yet there")
        return replace(self, target)

    Path.replace = counting


def compare(undisturbed: Path, killed: Path) -> None:
    """Bit for bit the same tensors and samples, and nothing left over."""
    names = {path.relative_to(undisturbed) for path in undisturbed.rglob("*.safetensors")}
    assert names == {path.relative_to(killed) for path in killed.rglob("*.safetensors")}
    assert any(name.name == "netG.safetensors" for name in names)
    for name in (*names, "sample_sheet.png"):
        assert (undisturbed / name).read_bytes() == (killed / name).read_bytes(), name
    left = [path.name for path in killed.rglob("*") if path.name.endswith(".tmp")]
    assert not left, left


def torture(bench: Bench, case: str, kills: int, seed: int) -> Counter:
    """Kill so many times; a run that ends before is compared and another one is begun."""
    rng = random.Random(f"{case} {seed}")
    undisturbed = bench.undisturbed(case)
    hits: Counter = Counter()
    runs = 1
    while True:
        options = bench.options(case, f"killed {case} {runs}")
        run = found(options)
        harmless = {"checkpoint_seconds": rng.choice([0.0, 0.0, 0.05])}

        def work(options: dict = options, run: Path | None = run, new: dict = harmless) -> None:
            if run is None:
                ConSinGAN.train(**options | new)
            else:
                launch.resume(run, new)

        last = sum(hits.values()) >= kills
        ending = bench.child(work, (lambda say: None) if last else make_plan(rng))
        if ending.killed:
            kind, detail = ending.where.split(": ")
            hits[kind if kind in ("time", "iteration") else f"{kind}: {detail}"] += 1
            continue
        compare(undisturbed, found(options))
        if last:
            return hits
        runs += 1


def main(case: str, kills: str, folder: str, seed: str) -> None:
    """Torture one case, several with commas between, or all of them, and tell."""
    torch.set_num_threads(1)
    tensorboard._writer_class()  # imports TensorBoard
    bench = Bench(Path(folder))
    told = {}
    for name in CASES if case == "all" else case.split(","):
        began = time.monotonic()
        hits = torture(bench, name, int(kills), int(seed))
        told[name] = dict(sorted(hits.items()))
        seconds = time.monotonic() - began
        print(f"{name}: {sum(hits.values())} kills, the same to the bit, {seconds:.0f} s")
        for path in bench.folder.glob("killed *"):
            shutil.rmtree(path)
    print(json.dumps(told))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
