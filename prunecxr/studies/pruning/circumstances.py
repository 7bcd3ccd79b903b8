"""What a report says beside its statistics: how the networks were trained, and what readers answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import fetch
from prunecxr.tracking.query import Population
from prunecxr.tracking.store import Store

ELSEWHERE = "trained elsewhere; how is not known here"
READER_SUMMARY = "tables/reader_summary.csv"


def training_table(store: Store, population: Population) -> pd.DataFrame:
    """How the dense models were trained (supplementary table 1).

    Returns:
        Columns item, value (text); numbers that differ between seeds as median and range.
    """
    seed_runs = list(runs.get_all(store, sorted(set(population.variants["seed_run"]))).values())
    trained = [(run.metrics(), run.params()) for run in seed_runs if "train_seconds" in run.metrics()]
    rows = {"Model": population.architecture, "Networks": f"{len(seed_runs)}, {ELSEWHERE}"}
    if trained:
        rows = _recipe({name.removeprefix("cfg/"): text for name, text in trained[0][1].items()}) | {
            "Hardware": ", ".join(dict.fromkeys(_hardware(params) for _, params in trained)),
            "Best epoch": _range([metrics.get("best_epoch", np.nan) + 1 for metrics, _ in trained], ""),
            "Training time": _range([metrics["train_seconds"] for metrics, _ in trained], " s"),
            "Networks": f"{len(trained)}"
            + (f" of {len(seed_runs)}, others {ELSEWHERE}" if len(seed_runs) > len(trained) else ""),
        }
    return pd.DataFrame({"item": list(rows), "value": list(rows.values())})


def reader_answers(store: Store, population: Population) -> tuple[str, pd.DataFrame] | None:
    """The newest answers of readers about this population: the run that holds them, and their summary.

    Returns:
        None where there are none; the table is that of :func:`prunecxr.studies.readers.analysis.summary`.
    """
    tags = {names.KIND: "reader_import", names.STUDY: population.study}
    for run in runs.search(store, tags, finished=True):
        export = run.params().get("cfg/export_run")
        if export and _is_about(store, export, population):
            with TemporaryDirectory(prefix="prunecxr-") as folder:
                summary = pd.read_csv(fetch(run, READER_SUMMARY, Path(folder)))
            notes = [column for column in summary if column.endswith("_note")]
            return run.id, summary.astype(dict.fromkeys(notes, object)).fillna(dict.fromkeys(notes, ""))
    return None


def _is_about(store: Store, export: str, population: Population) -> bool:
    """Whether the forms of that run were made from an analysis of this population and method."""
    forms = runs.get(store, export)
    if forms is None:
        return False
    analysis = runs.get(store, forms.params().get("cfg/analysis", ""))
    tags = (population.key, population.method)
    return analysis is not None and (analysis.tags.get(names.POPULATION), analysis.tags.get(names.METHOD)) == tags


def _recipe(cfg: Mapping[str, str]) -> dict[str, str]:
    """The options of the training in the words of the paper's table."""
    size, patience = cfg.get("image_size", "?"), cfg.get("patience", "?")
    augmentations = (["random horizontal flip"] if cfg.get("flip", "").lower() == "true" else []) + (
        [f"random rotation ±{cfg['rotation']}°"] if float(cfg.get("rotation", 0)) else []
    )
    return {
        "Model": f"{cfg.get('architecture', '?')} (weights: {cfg.get('weights', '?')})",
        "Optimizer (LR)": f"{cfg.get('optimizer', '?')} ({cfg.get('learning_rate', '?')})",
        "Weight decay": cfg.get("weight_decay", "?"),
        "Schedule": cfg.get("schedule", "?"),
        "Batch size": cfg.get("batch_size", "?"),
        "Augmentations": ", ".join(augmentations) or "none",
        "Preprocessing": f"ImageNet normalization, resize to {size}×{size}",
        "Early stopping": f"{patience} epochs with no improvement of {cfg.get('monitor', '?')}, at most "
        f"{cfg.get('epochs', '?')} epochs",
        "Framework": "PyTorch",
    }


def _hardware(params: Mapping[str, str]) -> str:
    return f"{params.get('used/device', 'unknown')} ({params.get('used/precision', 'unknown precision')})"


def _range(values: Sequence[float], unit: str) -> str:
    """'120 s', or '120 s (110 to 140)' where seeds differ."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return "unknown"
    middle = f"{np.median(known):,.0f}{unit}"
    return middle if np.ptp(known) == 0 else f"{middle} (median; {known.min():,.0f} to {known.max():,.0f})"
