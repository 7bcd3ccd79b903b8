"""How often the answers on the scales of forgetting are wrong where nothing is there, and how often intervals hold.

Populations are those of `populations.draw`: 12 classes with a long tail, four images per patient, networks that differ.

- alike: every class keeps the same share of d'. Nobody may say that rare classes, or frequent ones, are forgotten more.
- tail: the rarer a class, the less of d' it keeps. Rare classes are forgotten more.
- nothing: pruned networks keep everything. No drop, nothing forgotten first or most.
- margin: every class loses exactly the margin on the scale where safety is asked. No class is safe.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from benchmarks.nulls.populations import Drawn, draw, long_tail
from prunecxr.analysis import ranking
from prunecxr.analysis.association import correlate
from prunecxr.analysis.twoway import Draws
from prunecxr.studies.pruning.analysis import forgettability
from prunecxr.studies.pruning.analysis import rankings as ranked
from prunecxr.studies.pruning.analysis.equal_forgetting import simulate
from prunecxr.studies.pruning.analysis.rankings import Rankings, measure
from prunecxr.studies.pruning.analysis.rare_classes import Question, rare_classes, verdict
from prunecxr.studies.pruning.analysis.safe_sparsity import SAFE, safe_sparsity
from prunecxr.studies.pruning.analysis.scales import SCALES

CLASSES, KEPT, MARGIN, DENSE = 12, 0.65, 0.15, 1.8
TAIL = (0.85, 0.45)  # share of d' that the most frequent and the rarest class keep
COVERED = ("ap_ref", "auroc", "separability", "ap")


@dataclass
class Tally:
    """Shares, each with how many it is a share of: name -> outcomes."""

    outcomes: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.outcomes.setdefault(name, []).append(float(value))

    def table(self) -> pd.DataFrame:
        """Columns what, share, error (of Monte Carlo, one SD), n."""
        rows = [
            (name, np.mean(values), np.std(values) / np.sqrt(len(values)), len(values))
            for name, values in self.outcomes.items()
        ]
        return pd.DataFrame(rows, columns=["what", "share", "error", "n"])


def calibrate(images: int, seeds: int, studies: int, null: int = 100, seed: int = 0) -> pd.DataFrame:
    """Rates of wrong and right answers over simulated studies; see :meth:`Tally.table`."""
    rng, tally = np.random.default_rng([seed, images, seeds]), Tally()
    positives = long_tail(images, CLASSES, smallest=max(12, images // 700))
    for _ in range(studies):
        d = DENSE * (1 + 0.15 * rng.normal(size=CLASSES))
        world = {"positives": positives, "images": images, "seeds": seeds, "dense": d, "per_patient": 4}
        _rare(tally, "alike", draw(rng, kept=_kept(np.full(CLASSES, KEPT)), **world), seeds, null)
        _rare(tally, "tail", draw(rng, kept=_kept(np.linspace(*TAIL, CLASSES)), **world), seeds, 0)
        _nothing(tally, draw(rng, kept=_kept(np.ones(CLASSES)), **world))
        _margin(tally, draw(rng, kept=_kept(np.full(CLASSES, 1 - MARGIN)), **world), d)
    return tally.table()


def _kept(share: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(CLASSES), share])


def _rare(tally: Tally, world: str, drawn: Drawn, seeds: int, null: int) -> None:
    rankings = measure(drawn.predictions, drawn.labels)
    question = Question.of(rankings, drawn.counts.astype(float))
    simulated = None
    if null:
        truth = drawn.labels.iloc[:, 2:].to_numpy(float)
        simulated = simulate(rankings, drawn.predictions.to_numpy()[:, 0], truth, [question.at], null)
    draws = Draws.of(seeds, rankings.influences.shape[-1], 100)
    table = rare_classes(question, draws, simulated, None)
    state = verdict(table)
    rows = table[table["outcome"] == "change"].set_index("scale")
    if world == "tail":
        tally.add("rare forgotten more, power", state == "yes")
        return
    tally.add("rare forgotten more, false yes", state == "yes")
    tally.add("rare forgotten more, false opposite", state == "opposite")
    for scale in ("ap_ref", "auroc", "separability"):
        tally.add(f"  P < .05 on {scale} alone", rows.loc[scale, "p"] < 0.05)
    tally.add("  null P < .05 on ap", rows.loc["ap", "null_p"] < 0.05)
    change = ranked.plain_changes(rankings, SCALES["ap"]).median("seed").to_numpy()[1]
    naive = correlate(np.log(drawn.counts), change)
    tally.add("  the paper's P < .05 on raw AP", naive["spearman_p"] < 0.05)


def _nothing(tally: Tally, drawn: Drawn) -> None:
    rankings = measure(drawn.predictions, drawn.labels)
    table = ranked.changes(rankings)
    shown = table[(table["scale"] == "ap_ref") & (table["p_holm"] < 0.05)]
    tally.add("most forgotten, false", len(shown) > 0)
    tally.add("first forgotten, false", (shown["change"] < -0.2).any())
    overall = forgettability.overall(_scores(rankings, drawn))
    tally.add("overall drop, false", overall["paired_drop"].any())
    tally.add("  Welch's P < .05, false", overall["significant_drop"].any())


def _margin(tally: Tally, drawn: Drawn, d: np.ndarray) -> None:
    rankings = measure(drawn.predictions, drawn.labels)
    safe = safe_sparsity(rankings, SCALES["separability"], MARGIN)
    tally.add("safe at exactly the margin, any class", (safe["outcome"] == SAFE).any())
    values, changes = (
        table.set_index(["scale", "class"]) for table in (ranked.scores(rankings), ranked.changes(rankings))
    )
    values = values[values["sparsity"] == 0]
    prevalence = rankings.prevalence
    for name in COVERED:
        dense, pruned = (_truth(name, d * share, prevalence) for share in (1.0, 1 - MARGIN))
        change = (pruned - dense) / (dense - rankings.nothing(SCALES[name]))
        for what, table, true in (("value", values, dense), ("change", changes, change)):
            rows = table.loc[name].loc[list(rankings.classes)]
            inside = (rows["low"].to_numpy() <= true) & (true <= rows["high"].to_numpy())
            for one in inside[rankings.positives >= ranked.FEW]:
                tally.add(f"coverage, {what} of {name}", one)


def _truth(scale: str, d: np.ndarray, prevalence: np.ndarray) -> np.ndarray:
    """The score of normal distributions ``d`` apart, without sampling; shape (n_classes,)."""
    if scale in ("auroc", "separability"):
        return ranking.area(d) if scale == "auroc" else d
    tpr = (np.arange(20_000) + 0.5) / 20_000
    share = np.full(len(d), ranking.REFERENCE) if scale == "ap_ref" else prevalence
    fpr = stats.norm.sf(stats.norm.isf(tpr) + d[:, None])
    hits = share[:, None] * tpr
    return (hits / (hits + (1 - share[:, None]) * fpr)).mean(axis=1)


def _scores(rankings: Rankings, drawn: Drawn) -> xr.Dataset:
    coords = {"seed": rankings.seeds, "sparsity": rankings.sparsities, "class": rankings.classes}
    scores = xr.Dataset({"ap": (("seed", "sparsity", "class"), rankings.on(SCALES["ap"]))}, coords=coords)
    return scores.assign_coords(test_count=("class", drawn.counts)).assign_attrs(n_test=len(drawn.labels))
