"""What pruning-identified exemplars have in common: classes, and numbers of diseases, against other images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunecxr.analysis.intervals import percentile_interval, resampled_totals, totals_by_subject
from prunecxr.analysis.simultaneous import simultaneous_interval

NO_FINDING = "no finding"  # this class is no disease; compared without case, '_' as ' '
MANY = 4  # images with this many diseases or more share a bin
FEW = 10  # what fewer images have, or images of fewer patients, is shown and in no headline


def pie_ratios(
    pie_table: pd.DataFrame,
    names: Sequence[str],
    resamples: int = 2_000,
    seed: int = 0,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """How much more often each class, and each number of diseases, appears in PIEs than in other images (figure 5).

    Images without a defined agreement are in neither group. Intervals are percentiles of a bootstrap over patients
    that keeps each image's group. Some PIEs there are between any two populations, dense ones too: what pruning adds is
    another question, see :func:`prunecxr.studies.pruning.analysis.exemplar_null.pie_null`.

    Args:
        pie_table: the table of :func:`prunecxr.studies.pruning.analysis.exemplars.pies`.
        names: its label columns.
        resamples: bootstrap resamples.
        seed: of the bootstrap.
        alpha: 1 less the joint coverage of the simultaneous intervals.

    Returns:
        Columns group (``class`` or ``diseases``), value (class name; 0, 1, 2, 3, 4+ diseases, not counting 'No
        Finding'), pie_share, non_pie_share, ratio, low, high (95%, each row by itself), pie_count, non_pie_count, few
        (see :class:`Properties`), adjusted_low, adjusted_high (all rows of a group together, the upper ends with one
        PIE more than there are; NaN for few). The ratio is
        NaN where neither group has such an image, infinite where only PIEs do; without such images in both groups there
        is no interval. Empty bins stay.
    """
    ranked = pie_table[pie_table["agreement"].notna()]
    properties = Properties.of(ranked, names)
    is_pie = ranked["is_pie"].to_numpy(bool)
    ones = np.ones((len(ranked), 1))
    # One column for the size of the group, then one a property; PIEs left, the others right.
    counted = np.hstack([ones, properties.has])
    both = np.hstack([counted * is_pie[:, None], counted * ~is_pie[:, None]])
    totals = totals_by_subject(ranked["subject_id"].to_numpy(), both)
    pie_share, other_share, ratio = _shares(totals.sum(axis=0, keepdims=True))
    pie_count, other_count = (properties.has[group].sum(axis=0).astype(int) for group in (is_pie, ~is_pie))
    low, high, adjusted_low, adjusted_high = np.full((4, len(properties.names)), np.nan)
    if len(totals):
        again = resampled_totals(totals, resamples, seed)
        drawn = _shares(again)[2]
        # Every resample repeats a count of 0: that is no evidence that there is nothing to find.
        seen = (pie_count > 0) & (other_count > 0)
        low, high = (np.where(seen, end, np.nan) for end in percentile_interval(drawn))
        adjusted_low, _ = properties.simultaneous(drawn, seen, alpha)
        _, adjusted_high = properties.simultaneous(_shares(_with_one_more(again, seed))[2], other_count > 0, alpha)
    return pd.DataFrame(
        {
            "group": properties.groups,
            "value": properties.names,
            "pie_share": pie_share[0],
            "non_pie_share": other_share[0],
            "ratio": ratio[0],
            "low": low,
            "high": high,
            "pie_count": pie_count,
            "non_pie_count": other_count,
            "few": properties.few,
            "adjusted_low": adjusted_low,
            "adjusted_high": adjusted_high,
        }
    )


@dataclass(frozen=True)
class Properties:
    """What images are counted by: the classes, and the numbers of diseases.

    Attributes:
        has: 0/1, shape (n_images, n_properties); an unknown label (NaN) counts as absent.
        groups: ``class`` or ``diseases``, for each property.
        names: of each: a class, or a number of diseases.
        few: whether fewer than 10 images have it, or images of fewer than 10 patients: no claim rests on those.
    """

    has: np.ndarray
    groups: list[str]
    names: list[str]
    few: np.ndarray

    @classmethod
    def of(cls, images: pd.DataFrame, names: Sequence[str]) -> Properties:
        """Args: images: ``subject_id`` and the label columns ``names``, one row an image."""
        positive = images[list(names)].to_numpy(np.float64) > 0
        ill = positive[:, np.isin(list(names), disease_columns(names))]
        by_number = ill.sum(axis=1, dtype=int).clip(max=MANY)[:, None] == np.arange(MANY + 1)
        has = np.hstack([positive, by_number]).astype(np.float64)
        numbers = [str(d) for d in range(MANY)] + [f"{MANY}+"]
        patients = totals_by_subject(images["subject_id"].to_numpy(), has) > 0 if len(images) else has
        few = (has.sum(axis=0) < FEW) | (patients.sum(axis=0) < FEW)
        return cls(has, ["class"] * len(names) + ["diseases"] * len(numbers), [*names, *numbers], few)

    def simultaneous(self, drawn: np.ndarray, seen: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Intervals that hold for all classes at once, and others for all numbers of diseases.

        Args:
            drawn: resamples of a quantity of every property, shape (resamples, n_properties).
            seen: which properties have that quantity, shape (n_properties,), bool.
            alpha: 1 less the joint coverage.

        Returns:
            Ends of shape (n_properties,); NaN for properties that are few or not seen.
        """
        low, high = np.full((2, len(self.names)), np.nan)
        sure = seen & ~self.few & ~np.isnan(drawn).any(axis=0)
        for group in ("class", "diseases"):
            these = sure & (np.asarray(self.groups) == group)
            low[these], high[these] = simultaneous_interval(drawn[:, these], 1 - alpha)
        return low, high


def disease_columns(names: Sequence[str]) -> list[str]:
    """The class names that are diseases: all but 'No Finding'."""
    return [name for name in names if name.replace("_", " ").strip().lower() != NO_FINDING]


def _with_one_more(again: np.ndarray, seed: int) -> np.ndarray:
    """Resamples of the images and one further PIE with each property, which is drawn like the others.

    Few PIEs with a property, resampled, hardly ever become many: their upper percentiles lie too low. With one more the
    end is that of Garwood's limits of a count, which hold for the smallest ones, too.
    """
    more = again.copy()
    m = again.shape[1] // 2
    more[:, 1:m] += np.random.default_rng([seed, m]).poisson(1.0, (len(again), m - 1))
    return more


def _shares(totals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share of PIEs, share of non-PIEs, and their ratio, from rows of (n, counts...) of PIEs and then of non-PIEs."""
    pie, other = np.split(totals, 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pie_share, other_share = pie[:, 1:] / pie[:, :1], other[:, 1:] / other[:, :1]
        return pie_share, other_share, pie_share / other_share
