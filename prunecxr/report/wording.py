"""Numbers and lists as words, the same everywhere in the report."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

MINUS = "\u2212"


def number(value: float, digits: int = 2) -> str:
    """A fixed number of decimals with a real minus sign; 'undefined' for NaN."""
    if np.isnan(value):
        return "undefined"
    if np.isinf(value):
        return "infinite" if value > 0 else f"{MINUS}infinite"
    return f"{value:.{digits}f}".replace("-", MINUS)


def percent(value: float, digits: int = 0) -> str:
    """A fraction as a percentage; sparsities keep the decimals that they need."""
    if np.isnan(value):
        return "undefined"
    return f"{100 * value:.{digits}f}%".replace("-", MINUS)


def sparsity(value: float) -> str:
    """0.65 -> '65%', 0.975 -> '97.5%'."""
    return f"{100 * value:.6g}%"


def p_value(p: float) -> str:
    """'P = 0.012', 'P < 0.001', or 'no P' where there was no test."""
    if np.isnan(p):
        return "no P"
    return "P < 0.001" if p < 0.001 else f"P = {p:.3f}" if p < 0.1 else f"P = {p:.2f}"


def correlation(row: object) -> str:
    """Pearson's r and Spearman's rho of a row of a table of correlations, with their P and n."""
    n = int(row.n)  # type: ignore[attr-defined]
    r, rho = row.pearson_r, row.spearman_rho  # type: ignore[attr-defined]
    return (
        f"Spearman ρ = {number(rho)}, {p_value(row.spearman_p)}; "  # type: ignore[attr-defined]
        f"Pearson r = {number(r)}, {p_value(row.pearson_p)}; n = {n}"  # type: ignore[attr-defined]
    )


def listing(names: Iterable[str], most: int = 6) -> str:
    """'a, b and c'; beyond ``most`` names, how many more there are."""
    names = [str(name) for name in names]
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def count(n: int, noun: str, plural: str = "") -> str:
    """'1 class', '2 classes'."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
