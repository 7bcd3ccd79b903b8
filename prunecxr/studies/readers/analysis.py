"""The reader study: who is shown which images, and whether readers rate PIEs otherwise than other images.

After Holste et al. (MICCAI 2023), sections 2.3 and 3.4: each reader sees a set of images of their own, half of them
pruning-identified exemplars (PIEs), and answers three questions about each.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from prunecxr.analysis.association import holm
from prunecxr.errors import UserError

# Columns of the answers: agreement with the label (1 yes, 0 no), and two ratings of 1 to 5.
QUESTIONS = ("agree", "quality", "difficulty")
FEWEST = 3  # answers a group, below which nothing is tested
ROUNDING = 1e-9
# Upper-case consonants: no token is a word, a number or a date to a spreadsheet.
LETTERS = np.array(list("BCDFGHJKLMNPQRSTVWXZ"))
TOKEN_LENGTH = 6


def assign(pie_table: pd.DataFrame, readers: int, images_per_reader: int, seed: int | Sequence[int]) -> pd.DataFrame:
    """Draw each reader's images, half of them PIEs, in random order; no image is drawn twice.

    Args:
        pie_table: id, subject_id, agreement, is_pie; images of undefined agreement are left out.
        readers: number of readers, at least 1.
        images_per_reader: even, at least 2.
        seed: of the draw, of the order and of the tokens.

    Returns:
        reader (from 1), position (from 1), item (a token that tells nothing of the image), id, subject_id, is_pie,
        by reader and position. The order of the rows of ``pie_table`` has no influence.

    Raises:
        UserError: an odd number of images, or fewer PIEs or other images than that takes.
    """
    if images_per_reader < 2 or images_per_reader % 2:
        raise UserError(f"option images_per_reader: {images_per_reader} cannot be halved: half are PIEs, half are not")
    rng = np.random.default_rng(seed)
    ranked = pie_table[pie_table["agreement"].notna()].sort_values("id")
    is_pie = ranked["is_pie"].to_numpy(bool)
    _check_enough(int(is_pie.sum()), int((~is_pie).sum()), readers, images_per_reader)
    halves = [_draw(group, readers, images_per_reader, rng) for group in (ranked[is_pie], ranked[~is_pie])]
    drawn = pd.concat(halves)[["reader", "id", "subject_id", "is_pie"]]
    shuffled = drawn.iloc[rng.permutation(len(drawn))].sort_values("reader", kind="stable", ignore_index=True)
    shuffled.insert(1, "position", shuffled.groupby("reader").cumcount() + 1)
    shuffled.insert(2, "item", _tokens(len(shuffled), rng))
    return shuffled


def _check_enough(pies: int, others: int, readers: int, images_per_reader: int) -> None:
    needed = readers * images_per_reader // 2
    for available, kind in ((pies, "PIEs"), (others, "images that are no PIEs")):
        if available < needed:
            raise UserError(
                f"{readers} readers x {images_per_reader} images take {needed} {kind}, but the analysis has "
                f"{available}; lower readers or images_per_reader, or analyse the study with another pie_fraction"
            )


def _draw(group: pd.DataFrame, readers: int, images_per_reader: int, rng: np.random.Generator) -> pd.DataFrame:
    """A reader's share of the group for each reader, in a column ``reader``."""
    share = images_per_reader // 2
    chosen = group.iloc[rng.choice(len(group), readers * share, replace=False)]
    return chosen.assign(reader=np.repeat(np.arange(1, readers + 1), share))


def _tokens(n: int, rng: np.random.Generator) -> list[str]:
    """Distinct random words of consonants."""
    codes = rng.choice(len(LETTERS) ** TOKEN_LENGTH, n, replace=False)
    digits = codes[:, None] // len(LETTERS) ** np.arange(TOKEN_LENGTH) % len(LETTERS)
    return ["".join(word) for word in LETTERS[digits]]


def summary(answers: pd.DataFrame) -> pd.DataFrame:
    """PIEs against other images, question by question.

    Args:
        answers: reader, is_pie, and one numeric column for each of :data:`QUESTIONS`; NaN is no answer.

    Returns:
        One row a question: question; n, mean and sd (of a sample) of either group (suffixes ``_pie``, ``_non_pie``);
        readers; kruskal_h, kruskal_p (two-sided) and kruskal_note; mixed_difference (PIE minus other images, of a
        linear model with a random intercept a reader, REML), mixed_se, mixed_low, mixed_high (95% Wald interval),
        mixed_p, mixed_note; kruskal_p_holm (over the questions). Numbers are NaN where they are undefined; the note
        says why.
    """
    rows = []
    for question in QUESTIONS:
        given = answers[answers[question].notna()]
        values = given[question].to_numpy(np.float64)
        is_pie = given["is_pie"].to_numpy(bool)
        rows.append(
            {
                "question": question,
                **_described(values[is_pie], "pie"),
                **_described(values[~is_pie], "non_pie"),
                "readers": given["reader"].nunique(),
                **kruskal(values, is_pie),
                **mixed(values, is_pie, given["reader"].to_numpy()),
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(kruskal_p_holm=holm(table["kruskal_p"]))


def _described(values: np.ndarray, group: str) -> dict[str, float]:
    return {
        f"n_{group}": len(values),
        f"mean_{group}": float(values.mean()) if len(values) else np.nan,
        f"sd_{group}": float(values.std(ddof=1)) if len(values) > 1 else np.nan,
    }


def kruskal(values: np.ndarray, is_pie: np.ndarray) -> dict[str, float | str]:
    """Kruskal-Wallis test (corrected for ties) of two groups.

    Args:
        values, is_pie: shape (n_answers,).

    Returns:
        kruskal_h, kruskal_p (two-sided: of a difference in either direction), kruskal_note (why they are NaN).
    """
    note = _untestable(values, is_pie)
    if note:
        return {"kruskal_h": np.nan, "kruskal_p": np.nan, "kruskal_note": note}
    result = stats.kruskal(values[is_pie], values[~is_pie])
    return {"kruskal_h": float(result.statistic), "kruskal_p": float(result.pvalue), "kruskal_note": ""}


def mixed(values: np.ndarray, is_pie: np.ndarray, reader: np.ndarray) -> dict[str, float | str]:
    """Linear mixed model ``value ~ is_pie + (1 | reader)``, fitted by REML: readers differ in how strict they are.

    Args:
        values, is_pie, reader: shape (n_answers,).

    Returns:
        mixed_difference, mixed_se, mixed_low, mixed_high, mixed_p (Wald, two-sided), mixed_note (why they are NaN).
    """
    note = _untestable(values, is_pie) or _no_mixture(values, is_pie, reader)
    fitted = None if note else _fit(values, is_pie, reader)
    if fitted is None:
        return _mixed_row(np.full(5, np.nan), note or "the fit did not converge")
    return _mixed_row(fitted, "")


def _mixed_row(numbers: np.ndarray, note: str) -> dict[str, float | str]:
    names = ("difference", "se", "low", "high", "p")
    return {**{f"mixed_{name}": float(x) for name, x in zip(names, numbers, strict=True)}, "mixed_note": note}


def _untestable(values: np.ndarray, is_pie: np.ndarray) -> str:
    """Why nothing can be tested, or nothing."""
    if min(is_pie.sum(), (~is_pie).sum()) < FEWEST:
        return f"fewer than {FEWEST} answers in a group"
    return "all answers are the same" if np.ptp(values) == 0 else ""


def _no_mixture(values: np.ndarray, is_pie: np.ndarray, reader: np.ndarray) -> str:
    """Why a model with readers cannot be fitted, or nothing."""
    if len(np.unique(reader)) < 2:
        return "one reader"
    design = np.column_stack([reader[:, None] == np.unique(reader), is_pie]).astype(np.float64)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return "no reader rated both groups"
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return "reader and group determine every answer" if np.abs(rest).max() < ROUNDING else ""


def _fit(values: np.ndarray, is_pie: np.ndarray, reader: np.ndarray) -> np.ndarray | None:
    """difference, se, low, high, p; None where the fit fails.

    Powell's method, since the gradient of statsmodels' default one can run into a likelihood of infinity, which passes
    for convergence.
    """
    design = np.column_stack([np.ones(len(values)), is_pie]).astype(np.float64)
    with warnings.catch_warnings():
        # A variance of readers at its boundary, 0, is a fair result; what fails is told by `converged`.
        warnings.simplefilter("ignore")
        try:
            result = MixedLM(values, design, groups=reader).fit(reml=True, method="powell")
        except (np.linalg.LinAlgError, ValueError):
            return None
        numbers = np.array([result.fe_params[1], result.bse_fe[1], *result.conf_int()[1], result.pvalues[1]])
    return numbers if result.converged and np.isfinite([*numbers, result.llf]).all() else None
