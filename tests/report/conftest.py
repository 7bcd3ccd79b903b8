"""Findings of the synthetic study."""

from __future__ import annotations

import numpy as np
import pytest

from prunecxr.report.illustration import Illustration, illustrate
from prunecxr.studies.pruning.analysis.by_scale import ScaleOptions
from prunecxr.studies.pruning.analysis.rankings import measure
from prunecxr.studies.pruning.analysis.study import Options, Predicted, analyse
from prunecxr.studies.pruning.sections.catalogue import SECTIONS
from prunecxr.studies.pruning.sections.findings import Findings, gallery
from tests import synthetic_study

ODD_NAME = '<b>Mass & $x$ "co"</b>'


@pytest.fixture(scope="session")
def make_findings(make_study):
    """Keyword arguments go to the study; ``edit`` changes its scores."""

    def make(edit=None, images: bool = True, **options) -> Findings:
        study = make_study(**options)
        scores = study.scores.copy(deep=True)
        if edit:
            scores = edit(scores)
        renamed = dict(zip(study.scores["class"].to_numpy(), scores["class"].to_numpy(), strict=True))
        labels = study.labels.rename(columns=renamed)
        evaluated = scores["ap"].notnull().any("class")
        predictions = study.predictions.assign_coords({"class": scores["class"].to_numpy()}).where(evaluated)
        predictions = predictions.astype(np.float32)
        # Thresholds are set on the test images themselves: this is about what the report says of them.
        dense = study.by_seed[0].assign_coords({"class": predictions["class"]})
        predicted = Predicted(
            predictions, measure(predictions, labels), synthetic_study.make_metadata(labels), (dense, labels)
        )
        found = analyse(
            scores,
            labels,
            study.dense,
            study.pruned,
            by_seed=study.by_seed,
            others={"random": study.scores.assign(ap=study.scores["ap"] * np.exp(-4 * study.scores["sparsity"]))},
            histograms=synthetic_study.histograms(study.scores.sizes["seed"]),
            predicted=predicted,
            options=Options(resamples=1000, scales=ScaleOptions(draws=60, null=20)),
        )
        read = (lambda image_id: np.full((40, 30), int(image_id[:8]) % 256, np.uint8)) if images else None
        return Findings(
            study="tiny",
            tables=found.tables,
            warnings=found.warnings,
            gallery=gallery(found.tables["pies"], labels, study.dense, study.pruned, read, count=3),
            provenance={"seeds": "0-4", "analysis run": "abc"},
            pie_sparsity=study.pie_sparsity,
        )

    return make


@pytest.fixture(scope="session")
def findings(make_findings) -> Findings:
    return make_findings()


@pytest.fixture(scope="session")
def drawn(findings) -> list[Illustration]:
    """The figures of the findings, drawn once."""
    return illustrate(SECTIONS, findings)


@pytest.fixture(scope="session")
def odd_findings(make_findings) -> Findings:
    """A name that is markup and mathematics, a class without test images, two seeds, a missing variant."""

    def edit(scores):
        names = scores["class"].to_numpy().astype(object)
        names[1] = ODD_NAME
        scores = scores.assign_coords({"class": names.astype(str)})
        scores.ap[{"class": 2}] = np.nan
        scores.test_count[2] = 0
        scores.train_count[3] = 0
        scores.ap[{"seed": 1, "sparsity": 2}] = np.nan
        return scores

    return make_findings(edit, images=False, n_seeds=2)
