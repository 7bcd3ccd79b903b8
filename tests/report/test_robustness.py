"""Whatever is missing, the analysis and its words come out: no crash, no warning of numpy's, no 'nan' in a sentence."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunecxr.report.page import render
from prunecxr.studies.pruning.analysis.study import analyse
from prunecxr.studies.pruning.sections.catalogue import REPORT
from prunecxr.studies.pruning.sections.findings import Findings


def words(findings: Findings) -> str:
    return " ".join([*map(str, REPORT.answer(findings)), *findings.warnings])


@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.1, 0.5, 0.9, 1.0]), whole=st.booleans())
@settings(max_examples=25, deadline=None)
def test_random_gaps(study, seed: int, share: float, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = study.scores.copy(deep=True)
    shape = (*scores.ap.shape[:2], 1) if whole else scores.ap.shape
    scores["ap"] = scores.ap.where(rng.random(shape) > share)
    scores = scores.assign_coords(
        train_count=("class", rng.choice([0, 5, 500], scores.sizes["class"])),
        test_count=("class", rng.choice([0, 4, 590], scores.sizes["class"])),
    )
    found = analyse(scores, study.labels)
    text = words(Findings("gaps", found.tables, found.warnings))
    assert not re.search(r"\bnan\b", text)


@pytest.mark.parametrize(
    "gap", [{"sparsity": 0}, {"seed": [0, 1, 2, 3, 4]}, {"class": [0, 1, 2, 3, 4, 5, 6]}, {"sparsity": [1, 2, 3, 4]}]
)
def test_report_of_what_is_left(study, gap: dict) -> None:
    scores = study.scores.copy(deep=True)
    scores.ap[gap] = np.nan
    found = analyse(scores, study.labels, study.dense, study.pruned)
    findings = Findings("gaps", found.tables, found.warnings)
    assert "nan" not in words(findings).split()
    assert "</html>" in render(REPORT, findings)
