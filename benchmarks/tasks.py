"""How well does each task do its job? Train pictures, measure, and write the tables.

    python benchmarks/tasks.py [JOB ...] [--pictures FILE ...] [--out DIR] [--docs]

Jobs are the files of benchmarks/jobs; without a name all are measured, each on its own bundled
pictures or on those that are named. Models that are in --out already are not trained again. Writes
tables.md and results.yaml into --out and, with --docs, the tables into docs/tasks.md, between the
marks of each job.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path
from types import ModuleType

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

from jobs.common import Row  # noqa: E402

DOCS = ROOT / "docs" / "tasks.md"


def job_names() -> list[str]:
    """The jobs that can be measured."""
    found = (path.stem for path in (ROOT / "benchmarks/jobs").glob("*.py"))
    return sorted(name for name in found if name not in ("__init__", "common"))


def table(rows: list[Row]) -> str:
    """A Markdown table; numbers with three significant digits or two decimals."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        lines.append("| " + " | ".join(_text(row.get(name, "")) for name in columns) + " |")
    return "\n".join(lines)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def into_docs(name: str, text: str) -> None:
    """Put a table between the marks of a job in docs/tasks.md."""
    page, (begin, end) = DOCS.read_text(), (f"<!-- {name} -->", f"<!-- /{name} -->")
    if begin not in page or end not in page:
        raise SystemExit(f"{DOCS}: has no marks {begin} ... {end}")
    before, rest = page.split(begin, 1)
    DOCS.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")


def main() -> None:
    """Measure the jobs that were named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(job_names())}")
    parser.add_argument("--pictures", nargs="+", type=Path, help="instead of the job's own")
    parser.add_argument("--out", type=Path, default=Path("task_results"))
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/tasks.md")
    args = parser.parse_args()
    if unknown := set(args.jobs) - set(job_names()):
        parser.error(f"no such job: {', '.join(sorted(unknown))}")
    args.out.mkdir(parents=True, exist_ok=True)
    results = args.out / "results.yaml"
    found = yaml.safe_load(results.read_text()) if results.is_file() else {}
    for name in args.jobs or job_names():
        job: ModuleType = importlib.import_module(f"jobs.{name}")
        pictures = args.pictures or job.PICTURES
        rows = []
        for picture in pictures:
            start = time.perf_counter()
            rows += job.measure(picture, args.out)
            print(f"{name}: {picture.stem}, {time.perf_counter() - start:.0f} s", file=sys.stderr)
        found[name] = [dict(row) for row in rows]
        results.write_text(yaml.safe_dump(found, sort_keys=False))
        print(f"\n## {name}\n\n{table(rows)}")
        if args.docs:
            into_docs(name, table(rows))
    text = "\n".join(f"## {name}\n\n{table(rows)}\n" for name, rows in found.items())
    (args.out / "tables.md").write_text(text)


if __name__ == "__main__":
    main()
