"""How every variant ranks every class: one pass over the predictions, which all intervals and verdicts follow from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis import ranking
from prunecxr.analysis.association import holm, without_p
from prunecxr.analysis.chance import ap_quantile
from prunecxr.analysis.twoway import Estimates, estimate, median
from prunecxr.progress import progress
from prunecxr.studies.pruning.analysis.scales import SCALES, Scale, to_separability

FEW = 10  # test positives below which a class is in no headline
MIN_SEEDS = 3  # one network is no population: below this nothing is tested
COLLAPSED = 0.5  # share of the classes known by the dense networks that are not known any more


@dataclass(frozen=True)
class Rankings:
    """Scores of every variant in the order of :data:`prunecxr.analysis.ranking.SCALES`, with what patients add to them.

    Attributes:
        values, bias: shape (3, n_seeds, n_sparsities, n_classes); NaN where a variant or a score is missing.
        influences: shape (3, n_seeds, n_sparsities, n_classes, n_patients), float32.
        constant: whether all images have the same probability, shape (n_seeds, n_sparsities, n_classes).
        seeds, sparsities, classes: names of the axes; sparsities ascend from 0.
        positives, images: of each class in the test split, shape (n_classes,); images whose label is unknown count in
            neither.
        reference: prevalence of ``ap_ref``.
    """

    values: np.ndarray
    bias: np.ndarray
    influences: np.ndarray
    constant: np.ndarray
    seeds: np.ndarray
    sparsities: np.ndarray
    classes: np.ndarray
    positives: np.ndarray
    images: np.ndarray
    reference: float

    @property
    def prevalence(self) -> np.ndarray:
        """Share of positive images of each class, shape (n_classes,)."""
        return self.positives / np.maximum(self.images, 1)

    @property
    def few(self) -> np.ndarray:
        """Classes with too few test positives for a headline, bool, shape (n_classes,)."""
        return self.positives < FEW

    @property
    def evidence(self) -> np.ndarray:
        """Images of the rarer side of each class, shape (n_classes,)."""
        return np.minimum(self.positives, self.images - self.positives)

    def on(self, scale: Scale, corrected: bool = False) -> np.ndarray:
        """Values on a scale, shape (n_seeds, n_sparsities, n_classes).

        Args:
            corrected: less the bias that few positives bring.
        """
        at = ranking.SCALES.index(scale.score)
        values = self.values[at] - self.bias[at] if corrected else self.values[at]
        return ranking.separability(values) if scale.name == "separability" else values

    def nothing(self, scale: Scale) -> np.ndarray:
        """What knowing nothing gives on a scale, shape (n_classes,)."""
        return scale.nothing(self.prevalence, self.reference)

    def values_of(self, scale: Scale) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Sparsity by sparsity: values less their bias, (n_seeds, n_classes), and influences (..., n_patients)."""
        at = ranking.SCALES.index(scale.score)
        for k in range(len(self.sparsities)):
            values, influences = self.values[at, :, k] - self.bias[at, :, k], self.influences[at, :, k]
            yield to_separability(values, influences) if scale.name == "separability" else (values, influences)

    def changes_of(self, scale: Scale) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same for relative changes from the dense network, see :func:`.scales.change`."""
        nothing, dense = self.nothing(scale), None
        for values, influences in self.values_of(scale):
            dense = dense or (values, influences)
            above = np.where(dense[0] > nothing, dense[0] - nothing, np.nan)
            ratio = (values - nothing) / above
            yield ratio - 1, (influences - ratio[..., None] * dense[1]) / above[..., None]

    def known(self) -> np.ndarray:
        """Whether the networks at a sparsity know a class: median AP above the 97.5% quantile of random rankings.

        Returns:
            Shape (n_sparsities, n_classes), bool.
        """
        chance = [ap_quantile(int(n), int(p)) for n, p in zip(self.images, self.positives, strict=True)]
        return median(self.values[ranking.SCALES.index("ap")]) > np.array(chance)

    def collapsed(self) -> np.ndarray:
        """Sparsities at which at least half of what the dense networks know is not known any more, or nothing varies.

        Returns:
            Shape (n_sparsities,), bool; False at 0, and everywhere where the dense networks know nothing.
        """
        known = self.known()
        left = (known & known[0]).sum(axis=1)
        lost = (known[0].sum() > 0) & (left <= (1 - COLLAPSED) * known[0].sum())
        varied = np.isfinite(self.values[0]).any(axis=-1)
        still = (self.constant.all(axis=-1) & varied).sum(axis=0) * 2 > varied.sum(axis=0)
        return (lost | still) & (self.sparsities > 0)

    def asked(self) -> float:
        """The highest sparsity that is not collapsed, at which questions are asked; NaN if there is none above 0."""
        alive = self.sparsities[~self.collapsed() & (self.sparsities > 0) & np.isfinite(self.values[0]).any((0, 2))]
        return float(alive.max()) if len(alive) else float("nan")


def measure(predictions: xr.DataArray, labels: pd.DataFrame, reference: float = ranking.REFERENCE) -> Rankings:
    """Rank the images of every class by every variant.

    Args:
        predictions: probabilities, dims (seed, sparsity, image, class), sparsities ascending from 0; NaN where a
            variant is missing.
        labels: ``id``, ``subject_id``, then a 0/1 column per class (NaN: unknown), rows in the order of the images.
        reference: prevalence of ``ap_ref``.
    """
    predictions = predictions.transpose("seed", "sparsity", "image", "class")
    classes = predictions["class"].to_numpy().astype(str)
    truth = labels[list(classes)].to_numpy(np.float64)
    subjects = ranking.Subjects.of(labels["subject_id"].to_numpy())
    shape = (len(ranking.SCALES), *(predictions.sizes[dim] for dim in ("seed", "sparsity", "class")))
    values, bias = np.full(shape, np.nan), np.full(shape, np.nan)
    influences = np.full((*shape, subjects.count), np.nan, np.float32)
    constant = np.zeros(shape[1:], bool)
    stack = predictions.to_numpy()

    def fill(variant: tuple[int, int]) -> None:
        columns = np.ascontiguousarray(stack[variant].T)
        if np.isnan(columns).all():
            return
        constant[variant] = np.ptp(columns, axis=1) == 0
        for c, (scores, column) in enumerate(zip(columns, truth.T, strict=True)):
            labelled = ~np.isnan(column)
            whole = labelled.all()
            people = subjects if whole else ranking.Subjects(subjects.codes[labelled], subjects.count)
            one = ranking.rank(
                (column if whole else column[labelled]) > 0, scores if whole else scores[labelled], people, reference
            )
            cell = (slice(None), *variant, c)
            values[cell] = one.values  # noqa: PD011 (no table)
            bias[cell], influences[cell] = one.bias, one.influences

    variants = list(product(range(shape[1]), range(shape[2])))
    with ThreadPoolExecutor(os.cpu_count()) as pool, progress(len(variants), "ranking", "variant", delay=5) as bar:
        for _ in pool.map(fill, variants):
            bar.update()
    return Rankings(
        values=values,
        bias=bias,
        influences=influences,
        constant=constant,
        seeds=predictions["seed"].to_numpy(),
        sparsities=predictions["sparsity"].to_numpy(),
        classes=classes,
        positives=(truth == 1).sum(axis=0),
        images=(~np.isnan(truth)).sum(axis=0),
        reference=reference,
    )


def estimates(rankings: Rankings, scale: Scale, changes: bool = False) -> list[Estimates]:
    """Medians over seeds of values, or of relative changes, with their errors: one entry per sparsity, over classes."""
    quantities = rankings.changes_of(scale) if changes else rankings.values_of(scale)
    return [estimate(values, influences, rankings.evidence) for values, influences in quantities]


def scores(rankings: Rankings) -> pd.DataFrame:
    """Scores of every class at every sparsity on every scale.

    Returns:
        Columns class, sparsity, scale, value (median over seeds), low, high (95%, over seeds and patients, centred on
        the value less the bias of few positives), known (median AP above what 97.5% of random rankings reach), few
        (fewer than 10 test positives).
    """
    return _table(rankings, changes=False, column="value")


def changes(rankings: Rankings) -> pd.DataFrame:
    """Relative changes of every class at every sparsity above 0 on every scale.

    Returns:
        Columns class, sparsity, scale, change (median over seeds), low, high, known, few, collapsed (of the sparsity),
        p (one-sided, of no loss; NaN below 3 seeds), p_holm (over the sparsities that are not collapsed and the classes
        that the dense networks know by enough positives, on each scale; NaN for the rest).
    """
    table = _table(rankings, changes=True, column="change")
    collapsed = dict(zip(rankings.sparsities, rankings.collapsed(), strict=True))
    dense_known = dict(zip(rankings.classes, rankings.known()[0], strict=True))
    table["collapsed"] = table["sparsity"].map(collapsed)
    tested = table["class"].map(dense_known) & ~table["few"] & ~table["collapsed"] & (table["sparsity"] > 0)
    table = table if len(rankings.seeds) >= MIN_SEEDS else without_p(table)
    table["p_holm"] = table["p"].where(tested)
    table["p_holm"] = table.groupby("scale", sort=False)["p_holm"].transform(holm)
    return table[table["sparsity"] > 0].reset_index(drop=True)


def plain_changes(rankings: Rankings, scale: Scale) -> xr.DataArray:
    """Relative changes as they are measured, bias and all: dims (seed, sparsity, class)."""
    values, nothing = rankings.on(scale), rankings.nothing(scale)
    dense = values[:, :1]
    above = np.where(dense > nothing, dense - nothing, np.nan)
    coords = {"seed": rankings.seeds, "sparsity": rankings.sparsities, "class": rankings.classes}
    return xr.DataArray((values - dense) / above, dims=("seed", "sparsity", "class"), coords=coords)


def _table(rankings: Rankings, changes: bool, column: str) -> pd.DataFrame:
    known, tables = rankings.known(), []
    for scale in SCALES.values():
        plain = median(plain_changes(rankings, scale).to_numpy() if changes else rankings.on(scale))
        for k, one in enumerate(estimates(rankings, scale, changes)):
            low, high = one.interval()
            if not changes and scale.name in ("ap_ref", "auroc", "ap"):
                low, high = low.clip(0, 1), high.clip(0, 1)
            tables.append(
                pd.DataFrame(
                    {
                        "class": rankings.classes,
                        "sparsity": rankings.sparsities[k],
                        "scale": scale.name,
                        column: plain[k],
                        "low": low,
                        "high": high,
                        "known": known[k],
                        "few": rankings.few,
                        **({"p": one.p_not_below(0.0)} if changes else {}),
                    }
                )
            )
    table = pd.concat(tables, ignore_index=True)
    order = [list(SCALES), list(rankings.classes)]
    places = [
        table[name].map({key: i for i, key in enumerate(keys)})
        for name, keys in zip(("scale", "class"), order, strict=True)
    ]
    return table.iloc[np.lexsort((table["sparsity"], places[1], places[0]))].reset_index(drop=True)
