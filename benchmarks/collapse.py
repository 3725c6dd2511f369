"""How often does the first stage collapse? Train it with many seeds, and look what it remembers.

    python benchmarks/collapse.py [--pictures FILE ...] [--setting "NAME=FLAGS" ...] [--seeds 40]
                                  [--first 0] [--iterations 160]

A stage has collapsed where a picture of one colour were nearer to the real one than what it draws
(the outputs lie at the bounds of tanh, say, which lets no gradient through). Prints a Markdown
table: how many of the seeds end so, and the reconstruction's loss of the others.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

import ConSinGAN  # noqa: E402
from ConSinGAN import launch  # noqa: E402
from ConSinGAN.errors import run_script  # noqa: E402
from ConSinGAN.methods.adversarial import has_collapsed  # noqa: E402
from ConSinGAN.watch.base import Moment, Stop, Stopped, Watcher  # noqa: E402

COMMON = "--not_cuda --precision bf16 --train_stages 5 --min_size 18 --max_size 60"
SETTINGS = {
    "1 critic step": "--Dsteps 1",
    "2 critic steps": "--Dsteps 2",
    "3 critic steps, the default": "--Dsteps 3",
    "1 critic step, lambda_grad 1": "--Dsteps 1 --lambda_grad 1",
}


class FirstStage(Watcher):
    """Stops at the end of the first stage. loss: the reconstruction's; collapsed: see above."""

    loss = 0.0
    collapsed = False
    over = False

    def iteration(self, moment: Moment, terms: Mapping[str, torch.Tensor]) -> None:
        if moment.done < moment.config.niter:
            return
        self.over, self.loss = True, float(terms["reconstruction"])
        error = terms["reconstruction"] / moment.config.alpha
        self.collapsed = has_collapsed(moment.model, error)

    def should_stop(self) -> Stop | None:
        return Stop("the first stage is over") if self.over else None


def first_stage(flags: dict[str, Any]) -> FirstStage:
    """Train it, and say what came of it."""
    watcher = FirstStage()
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Stopped):
        ConSinGAN.train(watchers=[watcher], output_dir=folder, **flags)
    return watcher


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    picture = ROOT / "Images/Generation/summer_palace.jpg"
    parser.add_argument("--pictures", type=Path, nargs="+", default=[picture])
    parser.add_argument("--setting", action="append", metavar="NAME=FLAGS")
    parser.add_argument("--seeds", type=int, default=40, metavar="N")
    parser.add_argument("--first", type=int, default=0, help="the first seed", metavar="N")
    parser.add_argument("--iterations", type=int, default=160, metavar="N")
    flags = parser.parse_args()
    settings = dict(text.split("=", 1) for text in flags.setting or ()) or SETTINGS
    print("| setting | picture | seeds | collapsed | reconstruction of the others: median, worst |")
    print("|---|---|---|---|---|")
    for name, words in settings.items():
        typed = vars(launch.make_parser(None).parse_args(shlex.split(f"{COMMON} {words}")))
        typed.pop("level", None)
        typed |= {"niter": flags.iterations, "preview_every": 10**9}
        for path in flags.pictures:
            found = [
                first_stage({**typed, "input_name": str(path), "manualSeed": seed})
                for seed in range(flags.first, flags.first + flags.seeds)
            ]
            good = [one.loss for one in found if not one.collapsed]
            rest = f"{statistics.median(good):.3g}, {max(good):.3g}" if good else ""
            row = [name, path.stem, len(found), len(found) - len(good), rest]
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    sys.exit(run_script(main))
