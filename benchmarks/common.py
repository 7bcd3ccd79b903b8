"""What the benchmarks share: a process measured from outside, the machine in a line, a section of the page.

Needs Python and NumPy's usual companions alone, so that benchmarks/gpu.py runs where MLflow is not installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the package of this checkout, installed or not

# Sections of docs/performance.md in their order; each command rewrites its own.
SECTIONS = {
    "sweep": "Sweep",
    "training": "Training",
    "precision": "Evaluation in bf16",
    "startup": "Start-up",
    "tracking": "Tracking",
    "storage": "Storage",
    "memory": "Memory",
    "scale": "Scale",
    "gpu": "GPU",
    "analysis": "Import and analysis at the paper's size",
}
INTRODUCTION = """# Performance

Each section is what one command in `benchmarks/` printed: `python benchmarks/<name>.py --page docs/performance.md`
rewrites its own. Ratios are against a plain baseline of the same run; targets and bounds stand beside.
"""


@dataclass(frozen=True)
class Cost:
    """What a process took: wall and CPU seconds; highest resident memory, and the share of it that is not files, MB."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    peak_own_mb: float
    said: str


def measured(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> Cost:
    """A command in a process of its own, as a user would start it: no tracking store set, bytecode kept.

    It must end well.
    """
    own = ("MLFLOW", "PYTHONDONTWRITEBYTECODE")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    variables |= {"PYTHONPATH": str(ROOT), **(environment or {})}
    said = folder / "said.txt"
    start = time.perf_counter()
    with said.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=file, stderr=file)
        watch = _Watch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    own = watch.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    text = said.read_text()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {process.returncode}:\n{text[-2000:]}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, own, text)


class _Watch(threading.Thread):
    """Looks at a process's anonymous memory, of which the system keeps no peak, 20 times a second (Linux)."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._path, self._ended, self._peak = Path(f"/proc/{pid}/status"), threading.Event(), 0.0
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            try:
                found = re.search(r"RssAnon:\s+(\d+) kB", self._path.read_text())
            except OSError:  # the process has ended, or this is no Linux
                return
            self._peak = max(self._peak, int(found[1]) / 2**10 if found else 0.0)

    def stop(self) -> float:
        self._ended.set()
        self.join()
        return self._peak


def python(*arguments: str) -> list[str]:
    """A command line of this interpreter."""
    return [sys.executable, *arguments]


def entry_point(name: str, **options: object) -> list[str]:
    """The command line of an entry point."""
    return python("-m", f"entrypoints.{name}", *(f"--{option}={value}" for option, value in options.items()))


def best(work: Callable[[], object], times: int = 3, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the fastest of several runs: what the work takes where nothing else disturbs it.

    Args:
        clock: `time.process_time` counts the processor's seconds alone, whoever shares it.
    """
    seconds = []
    for _ in range(times):
        start = clock()
        work()
        seconds.append(clock() - start)
    return min(seconds)


def machine() -> str:
    """Processor, cores, memory and system."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{models[0] if models else platform.processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()}"


def circumstances(packages: Iterable[str], note: str = "") -> str:
    """Date, machine and versions, in a line."""
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    line = f"{date.today().isoformat()}; {machine()}; Python {platform.python_version()}; {versions}."
    return f"{line} {note}".rstrip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def parser(description: str | None) -> argparse.ArgumentParser:
    """A command line with the options that every benchmark has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--note", default="", help="a sentence for the table, such as who shares the machine")
    where = "markdown file whose section of this benchmark is rewritten"
    made.add_argument("--page", type=lambda text: Path(text).resolve(), help=where)
    return made


def publish(name: str, text: str, page: Path | None) -> None:
    """Print the measurements; on a page, too, between the marks of their section, which leaves the others alone."""
    print(text.strip())
    if page is None:
        return
    there = page.read_text(encoding="utf-8") if page.exists() else ""
    found = dict(re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->", there, re.DOTALL))
    found[name] = f"## {SECTIONS[name]}\n\nMeasured by `benchmarks/{name}.py`.\n\n{text.strip()}\n"
    parts = [f"<!-- begin {one} -->\n{found[one]}<!-- end {one} -->\n" for one in SECTIONS if one in found]
    page.write_text("\n".join([INTRODUCTION, *parts]), encoding="utf-8")


def rewrite(page: Path, name: str, text: str) -> None:
    """Replace what stands between the marks of a section; all that was written by hand around them stays.

    A page that lacks the marks gets them at its end.
    """
    there = page.read_text(encoding="utf-8") if page.exists() else ""
    section = f"<!-- begin {name} -->\n{text.strip()}\n<!-- end {name} -->"
    marked = re.compile(f"<!-- begin {re.escape(name)} -->\n.*?<!-- end {re.escape(name)} -->", re.DOTALL)
    if marked.search(there):
        page.write_text(marked.sub(lambda _: section, there), encoding="utf-8")
    else:
        page.write_text(f"{there.rstrip()}\n\n{section}\n".lstrip(), encoding="utf-8")
