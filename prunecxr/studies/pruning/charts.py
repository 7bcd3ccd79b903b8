"""The population's curves on the study's own run, so that the MLflow UI opens on them without any further click."""

from __future__ import annotations

from prunecxr.studies.pruning.analysis import forgettability
from prunecxr.tracking import names
from prunecxr.tracking.query import Population
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.identity import digest

DRAWN = "prunecxr.curves"  # hash of the curves that were logged last


def log_curves(study_run: TrackedRun, population: Population) -> None:
    """Log median mean AP and every class's forgettability curve with step = 100 x sparsity, once for each result."""
    overall = forgettability.overall(population.scores)
    curves = forgettability.curves(population.scores)
    classes = tuple(population.scores["class"].to_numpy().astype(str))
    metric = names.metric_names("forgettability", classes)
    key = digest({"overall": overall.round(6).to_csv(), "curves": curves.round(6).to_csv()})
    if study_run.tags.get(DRAWN) == key:
        return
    medians = dict(zip(overall["sparsity"], overall["median_mean_ap"], strict=True))
    for sparsity, rows in curves.groupby("sparsity"):
        changes = zip(rows["class"], rows["relative_change"], strict=True)
        values = {metric[name]: float(change) for name, change in changes}
        study_run.log(metrics={"median_mean_ap": float(medians[sparsity]), **values}, step=round(100 * float(sparsity)))
    study_run.log(tags={DRAWN: key})
