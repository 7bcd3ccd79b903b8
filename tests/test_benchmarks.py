"""Each benchmark runs, at a size small enough for a test, and rewrites its own section of the page alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = {
    "sweep": [
        "--architecture=resnet18", "--images=50", "--size=32", "--source=64", "--batch=16", "--variants=3", "--plain=1",
    ],
    "training": [
        "--architecture=resnet18", "--images=50", "--sizes=32", "--source=64", "--batch=16", "--plain=16",
        "--turns=1",
    ],
    "precision": [
        "--sparsities=0.5", "--options", "architecture=resnet18", "epochs=1", "image_size=32", "phantom_train=50",
        "phantom_val=50", "phantom_test=50",
    ],
    "startup": ["--repeats=1", "--architecture=resnet18"],
    "tracking": ["--seeds=1", "--sparsities=4", "--images=100", "--training=70"],
    "storage": ["--architecture=resnet18", "--images=500", "--size=32"],
    "memory": [
        "--architecture=resnet18",
        "--size=32",
        "--images=50",
        "--demo=architecture=resnet18,seeds=1,epochs=1,image_size=32,phantom_train=50,phantom_val=50,phantom_test=50",
    ],
    "scale": ["--sweeps=100,4,1,2", "--study=200,4,2,2", "--steps=2", "--rounds=1"],
    "gpu": [
        "--device=cpu", "--architecture=resnet18", "--size=32", "--train=64", "--val=50", "--test=50", "--drawn=50",
        "--sparsities=2", "--batch=16", "--epochs=1", "--matrix=64", "--seconds=0.05",
    ],
    "analysis": ["--seeds=2", "--variants=4", "--images=400"],
}  # fmt: skip
# The first cells of the rows that a table must have.
ROWS = {
    "sweep": ["plain way", "ours", "bare forward passes"],
    "training": ["32"],
    "precision": ["0.5"],
    "startup": ["`import prunecxr`, s", "`python -m entrypoints.main --help`, s"],
    "tracking": ["embedded (SQLite)", "embedded (SQLite)", "server", "server"],
    "storage": ["0.5", "0.5", "0.9", "0.9", "0.95", "0.95", "`predictions.parquet`"],
    "memory": ["5", "20"],
    "scale": [stage for stage in ("evaluate", "track", "analyse") for _ in range(4)],
    "gpu": ["training, images/s", "sweep, images/s", "epoch, without its validation"],
    "analysis": [
        "`import_predictions`",
        "`analyze`",
        "`import_predictions`",
        "`analyze`",
        "plain: scores",
        "plain: PIEs",
    ],
}
# Those that take more than half a minute even so: for whoever changes them.
LONG = {"sweep", "training", "precision", "startup", "tracking", "memory", "scale", "analysis"}
PAGE = "<!-- begin {0} -->\n## Other\n\nkept\n<!-- end {0} -->\n"


@pytest.mark.parametrize("name", SMALL)
def test_a_small_benchmark_prints_its_tables_and_rewrites_its_section(name, tmp_path):
    if name in LONG and not os.environ.get("PRUNECXR_TEST_BENCHMARKS"):
        pytest.skip("takes long (environment variable PRUNECXR_TEST_BENCHMARKS)")
    page = tmp_path / "performance.md"
    other = PAGE.format("gpu" if name == "analysis" else "analysis")
    page.write_text(other, encoding="utf-8")
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *SMALL[name], f"--page={page}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    cells = re.findall(r"^\| ([^|]*?) \|", answer.stdout, re.MULTILINE)
    for cell in set(ROWS[name]):
        assert cells.count(cell) == ROWS[name].count(cell), answer.stdout
    assert "nan" not in answer.stdout.replace("`", " ").split()
    written = page.read_text(encoding="utf-8")
    assert other in written
    assert answer.stdout.strip() in written
    assert len(re.findall(r"<!-- begin (\w+) -->", written)) == 2


def test_the_page_has_a_command_for_each_section():
    written = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in re.findall(r"<!-- begin (\w+) -->", written):
        assert (ROOT / "benchmarks" / f"{name}.py").is_file()
