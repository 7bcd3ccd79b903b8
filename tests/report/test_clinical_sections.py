"""Operating points, calibration and subgroups in words and figures, from computed and from hand-made tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, YES
from prunecxr.studies.pruning.analysis.clinical import NO_METADATA, NO_VALIDATION, clinical
from prunecxr.studies.pruning.sections import calibration, operating_points, subgroups
from prunecxr.studies.pruning.sections.answers.subgroups import answer
from prunecxr.studies.pruning.sections.findings import Findings
from tests.clinical_study import make_population

SECTIONS = (*operating_points.SECTIONS, *calibration.SECTIONS, *subgroups.SECTIONS)


@pytest.fixture(scope="module")
def computed() -> Findings:
    predictions, labels, metadata = make_population(n_patients=200, extra=0.45, sparsities=(0.0, 0.5, 0.9))
    validation, val_labels, _ = make_population(seed=1, sparsities=(0.0,))
    pair = (validation.isel(sparsity=0), val_labels)
    tables, warnings = clinical(predictions, labels, [0.9], metadata=metadata, validation=pair)
    assert warnings == []
    return Findings(study="made up", tables=tables)


def test_every_figure_is_drawn_and_described(computed: Findings) -> None:
    figures = [section for section in SECTIONS if section.figure is not None]
    assert len(figures) == 4
    for section in figures:
        assert section.draw(computed) is not None, section.name
        for words in (section.caption(computed), section.alt(computed)):
            assert words.endswith(".")
            assert "nan" not in words.lower()
            assert "undefined" not in words
    for section in SECTIONS:
        if section.table is not None:
            assert len(section.table(computed)), section.name


def test_captions_say_what_the_tables_say(computed: Findings) -> None:
    table = computed.tables["operating_points"].set_index(["class", "sparsity"])
    said = operating_points.caption(computed)
    assert "has 90% specificity on validation images" in said
    change = table["sensitivity"].xs(0.9, level=1) - table["sensitivity"].xs(0.0, level=1)
    worst = change.idxmin()
    assert f"that of {worst}: {table.loc[(worst, 0.0), 'sensitivity']:.2f} to " in said
    slopes = computed.tables["calibration"].groupby("sparsity")["slope"].median()
    assert f"alibration slope {slopes[0.0]:.2f} dense, {slopes[0.9]:.2f} at 90% sparsity" in calibration.caption(
        computed
    )


def test_what_is_absent_is_said_and_not_drawn() -> None:
    predictions, labels, metadata = make_population(n_seeds=3, n_patients=40, prevalences=(0.05,))
    tables, warnings = clinical(predictions, labels, [0.9])
    assert warnings == [NO_VALIDATION, NO_METADATA]
    assert set(tables) == {"calibration", "reliability"}
    findings = Findings(study="made up", tables=tables)
    assert answer(findings) is None
    drawn = {section.name for section in SECTIONS if section.draw(findings) is not None}
    assert not drawn & {"sensitivity", "subgroup_gaps"}
    _, warnings = clinical(predictions, labels, [0.9], metadata=metadata)
    assert warnings[1].startswith("No subgroups: in no class do two groups of images have 10 positive images of 10")
    _, warnings = clinical(predictions, labels, [], metadata=metadata)
    assert warnings[1] == "No subgroups: there is no sparsity at which the networks have not collapsed."


def test_seeds_without_validation_predictions_are_named() -> None:
    predictions, labels, _ = make_population()
    pair = (predictions.isel(sparsity=0, seed=[0, 2]), labels)
    _, warnings = clinical(predictions, labels, [0.9], validation=pair)
    assert warnings[0] == "Operating points without seeds that have no predictions of validation images: 1."


def rows(*given: tuple[float, float, float]) -> Findings:
    """Findings with a comparison for each (change, p_holm, sparsity)."""
    table = pd.DataFrame(
        [
            {
                "partition": "sex", "group": "F", "reference": "M", "class": f"class {i}", "measure": "auroc",
                "sparsity": k, "change": change, "low": change - 0.02, "high": change + 0.02, "p": p, "p_holm": p,
            }
            for i, (change, p, k) in enumerate(given)
        ]
    )  # fmt: skip
    return Findings(study="made up", tables={"subgroups": table})


@pytest.mark.parametrize(
    ("given", "state", "verdict"),
    [
        ([(-0.1, 0.01, 0.9), (0.02, 0.4, 0.9)], YES,
         "At 90% sparsity some lose more than others: F more than M in class 0."),
        ([(0.1, 0.01, 0.9)], YES, "At 90% sparsity some lose more than others: M more than F in class 0."),
        ([(-0.1, 0.06, 0.9), (-0.3, 0.001, 0.5)], NOT_SHOWN,
         "At 90% sparsity no group is shown to lose more than another, which does not mean that none does."),
        ([(-0.1, np.nan, 0.9)], CANNOT_BE_TOLD,
         "Cannot be told: at 90% sparsity fewer than 3 seeds have both networks, and nothing is tested."),
    ],
    ids=["group", "reference", "silent", "untested"],
)  # fmt: skip
def test_whom_does_pruning_fail(given, state: str, verdict: str) -> None:
    said = answer(rows(*given))
    assert (said.name, said.state, said.verdict) == ("subgroups_hit", state, verdict)
    assert ("P" in said.evidence.replace("AP", "")) == (state != CANNOT_BE_TOLD)


def test_the_evidence_names_size_interval_and_scale() -> None:
    evidence = answer(rows((-0.1, 0.01, 0.9))).evidence.replace("\u00a0", " ")
    assert evidence.startswith("F minus M, class 0, AUROC: gap changes by −0.10 (95% −0.12 to −0.08, P = 0.010).")
    silent = answer(rows((-0.1, 0.3, 0.9))).evidence.replace("\u00a0", " ")
    assert silent.startswith(
        "Closest to it: F minus M, class 0, AUROC: gap changes by −0.10 (95% −0.12 to −0.08, P = 0.30)"
    )
    assert "Half of the gaps are known to ±0.02 or better." in silent


def test_an_untested_forest_plot_has_no_p() -> None:
    findings = replace(rows((-0.1, np.nan, 0.9), (0.3, np.nan, 0.9)), alpha=0.05)
    said = subgroups.caption(findings)
    assert said.startswith("Nothing is tested: fewer than 3 seeds. Shown: all of them.")
    assert subgroups.SECTIONS[0].draw(findings) is not None
