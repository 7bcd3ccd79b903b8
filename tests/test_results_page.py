"""The page of the real study: what is copied into it, and what stays as it was written."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from prunecxr.tracking.query import Population

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def results():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("results")
    sys.path.remove(str(BENCHMARKS))


def test_a_class_above_chance_is_known_and_a_random_one_is_not(results):
    text = results.dense_networks(_population({"Edema": 0.6, "Hernia": 0.011}))
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines()}
    assert rows["Edema"].endswith("yes (3 of 3) |")
    assert rows["Hernia"].endswith("no (0 of 3) |")
    assert "Known are 1 of 2 classes" in text


def _population(ap: dict[str, float]) -> Population:
    """Three dense networks; 10 of 1,000 images have each class."""
    values = np.tile(list(ap.values()), (3, 1, 1))
    scores = xr.Dataset(
        dict.fromkeys(("ap", "auroc"), (("seed", "sparsity", "class"), values)),
        {"seed": [0, 1, 2], "sparsity": [0.0], "class": list(ap)},
        {"n_test": 1000},
    ).assign_coords(train_count=("class", [30, 20]), test_count=("class", [10, 10]))
    labels = pd.DataFrame({"id": ["a", "b"], "subject_id": ["1", "1"]})
    return Population("s", "k", "magnitude", "d", "a", scores, labels, pd.DataFrame(), (), ())


def test_a_section_is_replaced_and_the_rest_of_the_page_stays(results, tmp_path):
    page = tmp_path / "results.md"
    page.write_text("# By hand\n\n<!-- begin dense -->\nold\n<!-- end dense -->\n\nmore\n", encoding="utf-8")
    results.rewrite(page, "dense", r"a \1 b")
    results.rewrite(page, "random", "other")
    assert page.read_text(encoding="utf-8") == (
        "# By hand\n\n<!-- begin dense -->\na \\1 b\n<!-- end dense -->\n\nmore\n\n"
        "<!-- begin random -->\nother\n<!-- end random -->\n"
    )


def test_tables_that_an_analysis_lacks_are_left_out(results, tmp_path):
    tables = tmp_path / "analysis" / "tables"
    tables.mkdir(parents=True)
    verdict = {"question": ["overall_drop"], "answer": ["yes"], "sentence": ["It drops."]}
    pd.DataFrame(verdict).to_csv(tables / "verdicts.csv", index=False)
    text = results.analysis_section(tmp_path / "analysis", "results", tmp_path / "images")
    assert "| overall_drop | yes | It drops. |" in text
    assert "Safe sparsity" not in text
