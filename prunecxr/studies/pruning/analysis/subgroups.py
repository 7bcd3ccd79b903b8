"""Whether pruning costs some patients more than others: by age, sex, view and declared columns.

A *partition* parts the images into groups: age bands, sexes, views, the values of a declared column, and the crossings
of two of these. In each partition the largest group is the *reference*. A group's *gap* is its score minus the
reference's, and what is tested is how the gap changes from the dense network to the pruned one of the same seed: with
scores that do not depend on prevalence, and with the sensitivity at the kept threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from os import cpu_count

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.association import holm
from prunecxr.analysis.ranking import SCALES, Subjects, rank
from prunecxr.analysis.twoway import Estimates, median
from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN, YES
from prunecxr.studies.pruning.analysis.exemplars import class_columns
from prunecxr.studies.pruning.analysis.images import over_seeds, place_of
from prunecxr.studies.pruning.analysis.operating_points import share

AGE = "age"
BANDS = {"0-17": 0.0, "18-39": 18.0, "40-59": 40.0, "60-79": 60.0, "80+": 80.0}  # name -> youngest, years
ENOUGH = 10  # positive images, negative images, and patients with a positive image, of a group and of the reference
MOST_VALUES = 12  # a declared column with more is parted into thirds if it holds numbers, else left out
MEASURES = ("ap_ref", "auroc", "sensitivity")
RANKED = [SCALES.index(scale) for scale in MEASURES[:2]]
MIN_SEEDS = 3


@dataclass(frozen=True)
class Partition:
    """Groups of images.

    Attributes:
        name: `sex`, `age and sex`.
        groups: names; the largest comes first.
        code: group of each image, shape (n_images,); -1 where it is not known.
    """

    name: str
    groups: tuple[str, ...]
    code: np.ndarray


def partitions(metadata: pd.DataFrame) -> list[Partition]:
    """The partitions that metadata make: each column, then each pair of columns.

    Args:
        metadata: ``id``, then columns of text or numbers, one row an image; "" and NaN are missing.
    """
    parted = {name: _parted(name, metadata[name]) for name in metadata.columns if name != "id"}
    single = {name: column for name, column in parted.items() if column is not None and len(set(column) - {""}) > 1}
    crossed = {
        f"{a} and {b}": np.where((single[a] == "") | (single[b] == ""), "", single[a] + ", " + single[b])
        for a, b in combinations(single, 2)
    }
    return [_partition(name, column) for name, column in {**single, **crossed}.items()]


def subgroups(
    predictions: xr.DataArray,
    labels: pd.DataFrame,
    metadata: pd.DataFrame,
    sparsities: Sequence[float],
    limits: xr.DataArray | None = None,
) -> pd.DataFrame:
    """How gaps between groups change from the dense networks to pruned ones.

    Args:
        predictions: probabilities, dims (seed, sparsity, image, class), float32, images in the order of ``labels``.
        labels: ``id``, ``subject_id``, one column of 0, 1 or NaN a class.
        metadata: as for :func:`partitions`, in the order of ``labels``.
        sparsities: above 0, of which some have predictions.
        limits: thresholds of the dense networks, dims (seed, class); None leaves out the sensitivity.

    Returns:
        One row a partition, group other than the reference, class, measure (``ap_ref``, ``auroc``, ``sensitivity``) and
        sparsity, where group and reference have 10 positive images of 10 patients, and 10 negative ones: partition,
        group, reference, class, measure, sparsity; dense, pruned and reference_dense, reference_pruned (scores),
        gap_dense, gap, change (of a seed's gap) with low and high (95%, over seeds and patients), all of these medians
        over the seeds that have both networks; p, p_holm (over all rows of a sparsity; NaN below 3 seeds), n_images,
        n_positives, n_patients (of the group), reference_positives, n_seeds.
    """
    parts = partitions(metadata)
    names = class_columns(labels)
    study = _Study(predictions, Subjects.of(labels["subject_id"].to_numpy()), parts, tuple(sparsities), limits)
    truth = labels[names].to_numpy(np.float64)
    with ThreadPoolExecutor(min(cpu_count() or 1, 4)) as pool:
        by_class = pool.map(lambda at: study.rows(names[at], at, truth[:, at]), range(len(names)))
        table = pd.DataFrame([row for rows in by_class for row in rows], columns=COLUMNS)
    table["p"] = table["p"].where(table["n_seeds"] >= MIN_SEEDS)
    adjusted = table.groupby("sparsity")["p"].transform(lambda p: holm(p.to_numpy()))
    table.insert(table.columns.get_loc("p") + 1, "p_holm", adjusted.astype(float))
    place = {part.name: at for at, part in enumerate(parts)}
    keys = table["class"].map(names.index), table["group"], table["partition"].map(place), table["sparsity"]
    return table.iloc[np.lexsort(keys)].reset_index(drop=True)


COLUMNS = [
    "partition", "group", "reference", "class", "measure", "sparsity", "dense", "pruned", "reference_dense",
    "reference_pruned", "gap_dense", "gap", "change", "low", "high", "p", "n_images", "n_positives", "n_patients",
    "reference_positives", "n_seeds",
]  # fmt: skip


@dataclass(frozen=True)
class _Members:
    """The images of a group whose label of a class is known.

    Attributes:
        places: in the label table, shape (n,).
        truth: bool, the same shape.
        subjects: whose images they are.
    """

    places: np.ndarray
    truth: np.ndarray
    subjects: Subjects

    @classmethod
    def of(cls, member: np.ndarray, truth: np.ndarray, subjects: Subjects) -> _Members:
        """From all images: whether each is a member, and its label, 0, 1 or NaN."""
        places = np.flatnonzero(member & ~np.isnan(truth))
        return cls(places, truth[places] == 1, Subjects(subjects.codes[places], subjects.count))

    @property
    def positives(self) -> int:
        return int(self.truth.sum())

    def are_enough(self) -> bool:
        """Whether scores of the group are worth a test."""
        sick = len(np.unique(self.subjects.codes[self.truth]))
        return min(self.positives, len(self.truth) - self.positives, sick) >= ENOUGH

    def score(self, scores: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
        """What :data:`MEASURES` say of these images, shape (3,), and influences, (3, n_patients).

        Args:
            scores: of all images; the class is flagged above ``limit``.
        """
        mine, sick = scores[self.places], self.subjects.codes[self.truth]
        ranking = rank(self.truth, mine, self.subjects)
        of_patients = np.bincount(sick, minlength=self.subjects.count)
        found = np.bincount(sick, mine[self.truth] > limit, minlength=self.subjects.count)
        sensitivity, of_sensitivity = share(found, of_patients)
        values = np.append(ranking.values[RANKED], sensitivity)  # noqa: PD011 (no table)
        changes = np.vstack([ranking.influences[RANKED], of_sensitivity])
        if np.isnan(limit) or np.isnan(values[0]):
            values[2], changes[2] = np.nan, np.nan
        return values, changes.astype(np.float32)


Scored = tuple[np.ndarray, np.ndarray]
"""Scores (n_seeds, n_measures), and influences (n_seeds, n_measures, n_patients)."""


@dataclass(frozen=True)
class _Study:
    """What all classes share; see :func:`subgroups`."""

    predictions: xr.DataArray
    subjects: Subjects
    parts: Sequence[Partition]
    sparsities: tuple[float, ...]
    limits: xr.DataArray | None

    def rows(self, name: str, at: int, truth: np.ndarray) -> list[list[object]]:
        """The rows of a class, with its column of the label table."""
        rows = []
        for part in self.parts:
            members = {
                group: found
                for number, group in enumerate(part.groups)
                if (found := _Members.of(part.code == number, truth, self.subjects)).are_enough()
            }
            reference = part.groups[0]
            if reference not in members or len(members) < 2:
                continue
            scored = {k: self._score(at, k, members) for k in (0.0, *self.sparsities)}
            for group in list(members)[1:]:
                for k in self.sparsities:
                    pair = members[group], members[reference]
                    sides = [scored[one][member] for one in (0.0, k) for member in (group, reference)]
                    keys = [part.name, group, reference, name]
                    rows += [[*keys, measure, k, *row] for measure, row in _compare(pair, sides)]
        return rows

    def _score(self, at: int, sparsity: float, members: Mapping[str, _Members]) -> dict[str, Scored]:
        """Scores of each group by every seed's variant."""
        values = self.predictions.transpose("seed", "sparsity", "image", "class").to_numpy()
        seeds, place = self.predictions["seed"].to_numpy(), place_of(self.predictions, sparsity)
        limits = np.full(len(seeds), np.nan)
        if self.limits is not None:
            limits = self.limits.reindex(seed=seeds).to_numpy()[:, at]
        results: dict[str, list[Scored]] = {group: [] for group in members}
        for row, limit in zip(values[:, place, :, at], limits, strict=True):
            scores = np.ascontiguousarray(row)
            for group, member in members.items():
                results[group].append(member.score(scores, float(limit)))
        return {
            group: (np.stack([one for one, _ in result]), np.stack([of_one for _, of_one in result]))
            for group, result in results.items()
        }


def _compare(pair: tuple[_Members, _Members], sides: Sequence[Scored]) -> Iterator[tuple[str, list[float]]]:
    """Measure and the columns from ``dense`` to ``n_seeds`` of a group beside its reference.

    Args:
        sides: dense scores of both, then pruned ones.
    """
    dense, dense_reference, pruned, pruned_reference = (values for values, _ in sides)
    of_dense, of_dense_reference, of_pruned, of_pruned_reference = (changes for _, changes in sides)
    changes = pruned - pruned_reference - dense + dense_reference
    of_changes = of_pruned - of_pruned_reference - of_dense + of_dense_reference
    estimates = over_seeds(changes, of_changes, np.array(min(one.positives for one in pair)))
    tested = np.stack([estimates.value, *estimates.interval(), _two_sided(estimates)])
    paired = [np.where(np.isfinite(changes), values, np.nan) for values, _ in sides]
    shown = (paired[0], paired[2], paired[1], paired[3], paired[0] - paired[1], paired[2] - paired[3])
    scores, n_seeds = np.stack([median(one) for one in shown]), np.isfinite(changes).sum(axis=0)
    group, reference = pair
    patients = len(np.unique(group.subjects.codes))
    for m, measure in enumerate(MEASURES):
        if n_seeds[m]:
            counts = [len(group.truth), group.positives, patients, reference.positives, int(n_seeds[m])]
            yield measure, [*scores[:, m].tolist(), *tested[:, m].tolist(), *counts]


def _two_sided(estimates: Estimates) -> np.ndarray:
    """Two-sided P of no change."""
    return np.minimum(2 * np.minimum(estimates.p_not_above(0.0), estimates.p_not_below(0.0)), 1)


def _parted(name: str, column: pd.Series) -> np.ndarray | None:
    """Group of each image as text, "" where it is not known; None where a column makes no groups."""
    if name == AGE:
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
        places = np.searchsorted(list(BANDS.values()), numbers, side="right") - 1
        names = np.array([*BANDS, ""], dtype=object)
        return np.where(np.isnan(numbers) | (numbers < 0), "", names[places])
    texts = column.fillna("").astype(str).to_numpy(object)
    if len(set(texts) - {""}) <= MOST_VALUES:
        return texts
    numbers = pd.to_numeric(pd.Series(texts).replace("", np.nan), errors="coerce")
    if numbers.notna().sum() < (texts != "").sum():
        return None
    cuts = numbers.quantile([1 / 3, 2 / 3]).to_numpy()
    names = np.array([f"up to {cuts[0]:g}", f"above {cuts[0]:g} to {cuts[1]:g}", f"above {cuts[1]:g}"], dtype=object)
    return np.where(numbers.isna(), "", names[np.searchsorted(cuts, numbers.fillna(0).to_numpy(), side="left")])


def _partition(name: str, column: np.ndarray) -> Partition:
    groups, counts = np.unique(column[column != ""].astype(str), return_counts=True)
    by_size = groups[np.argsort(-counts, kind="stable")].tolist()
    code = {group: number for number, group in enumerate(by_size)}
    return Partition(name, tuple(by_size), np.array([code.get(group, -1) for group in column], dtype=int))


def subgroups_hit(table: pd.DataFrame | None, alpha: float = 0.05) -> str:
    """Whether pruning costs some group more than another: ``yes``, ``no_association_shown`` or ``cannot_be_told``.

    Asked at the highest sparsity of the table of :func:`subgroups`, of all measures together. A gap that closes is a
    reference that loses more, so there is no opposite.
    """
    if table is None or table.empty:
        return CANNOT_BE_TOLD
    p = table.loc[table["sparsity"] == table["sparsity"].max(), "p_holm"].dropna()
    if p.empty:
        return CANNOT_BE_TOLD
    return YES if (p < alpha).any() else NOT_SHOWN
