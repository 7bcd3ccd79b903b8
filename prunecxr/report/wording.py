"""Numbers and lists as words, the same everywhere in the report."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

MINUS = "\u2212"
TIED = "\u00a0"  # a space where no line may break


def number(value: float, digits: int = 2) -> str:
    """A fixed number of decimals with a real minus sign; 'undefined' for NaN."""
    if np.isnan(value):
        return "undefined"
    if np.isinf(value):
        return "infinite" if value > 0 else f"{MINUS}infinite"
    return f"{value:.{digits}f}".replace("-", MINUS)


def percent(value: float) -> str:
    """A change as a whole percentage: -0.253 -> '−25%'."""
    return "undefined" if np.isnan(value) else f"{100 * value:.0f}%".replace("-", MINUS)


def sparsity(value: float) -> str:
    """A sparsity with the decimals that it needs: 0.65 -> '65%', 0.975 -> '97.5%'."""
    return f"{100 * value:.6g}%"


def p_value(p: float) -> str:
    """'P = 0.012', 'P < 0.001', or 'not tested' where there was no test."""
    if np.isnan(p):
        return "not tested"
    if p < 0.001:
        return f"P{TIED}<{TIED}0.001"
    return f"P{TIED}={TIED}{p:.3f}" if p < 0.1 else f"P{TIED}={TIED}{p:.2f}"


def correlation(row: pd.Series, noun: str = "") -> str:
    """Spearman's rho and Pearson's r of a row of a table of correlations, with n (of ``noun``) and P where tested.

    Where the two differ in n, as with censored classes, each has its own.
    """
    size = f"n{TIED}={TIED}{int(row.n)}{f' {noun}' if noun else ''}"
    if np.isnan(row.spearman_rho):
        return f"undefined (too few values, or all the same), {size}"
    n_pearson = int(row.get("n_pearson", row.n))
    own = [f"n{TIED}={TIED}{n_pearson}"] if n_pearson != row.n else []
    return (
        f"ρ{TIED}={TIED}{number(row.spearman_rho)}{_bracketed(_tested(row.spearman_p))}, "
        f"r{TIED}={TIED}{number(row.pearson_r)}{_bracketed(_tested(row.pearson_p) + own)}, {size}"
    )


def _tested(p: float) -> list[str]:
    return [] if np.isnan(p) else [p_value(p)]


def _bracketed(parts: list[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def short(name: str, most: int = 32) -> str:
    """A name for a figure, cut where it is longer than ``most`` characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def listing(names: Iterable[str], most: int = 6) -> str:
    """'a, b and c'; beyond ``most`` names, how many more there are."""
    names = [str(name) for name in names]
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def count(n: int, noun: str, plural: str = "") -> str:
    """'1 class', '2 classes'."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
