"""The benchmark runs, on a study small enough for a test, and says what it measured."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_small_benchmark_measures_two_sizes_against_a_plain_implementation(tmp_path):
    page = tmp_path / "performance.md"
    command = [sys.executable, str(ROOT / "benchmarks" / "analysis.py"), "--seeds=2", "--variants=4", "--images=400"]
    answer = subprocess.run([*command, f"--page={page}"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    rows = re.findall(r"^\| (`?[\w: ]+`?) \| (\d+) \|", answer.stdout, re.MULTILINE)
    assert rows == [
        ("`import_predictions`", "2"),
        ("`analyze`", "2"),
        ("`import_predictions`", "4"),
        ("`analyze`", "4"),
        ("plain: scores", "4"),
        ("plain: PIEs", "4"),
    ]
    assert page.read_text(encoding="utf-8").endswith(answer.stdout)
