"""What several elements of the report have in common: measures, parts, tables, and how results are put into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from prunecxr.report.section import from_analysis
from prunecxr.report.style import BLUE, INK, RED, THIRD
from prunecxr.report.tables import without_tests
from prunecxr.report.wording import TIED, correlation, count, number, sparsity
from prunecxr.studies.pruning.sections.findings import Findings

OVERALL, CLASSES, PAIRS, IMAGES, READERS = "Overall", "Classes", "Pairs of classes", "Images", "Readers"
CORRECTED = "chance_corrected_"
MEASURED = ("", CORRECTED)  # prefixes of columns: measured from zero, and from chance
FIRST, MOST = "first_drop_20", "relative_change_at_max"
NOT_TESTED = "Not tested: fewer than 3 seeds."
LINES = ((BLUE, "-", "o"), (RED, "--", "s"), (INK, ":", "^"), (THIRD, "-.", "D"))  # told apart by more than colour


def twin(name: str, prefix: str) -> str:
    """Name of the files of a figure, of which there is a raw and a chance-corrected one."""
    return f"{name}_chance_corrected" if prefix else name


def title_of(title: str, prefix: str) -> str:
    """A title that says what is chance-corrected."""
    return f"{title}, chance-corrected" if prefix else title


def precision(prefix: str) -> str:
    """What is measured, in full."""
    return "chance-corrected average precision" if prefix else "average precision"


def ap(prefix: str) -> str:
    """What is measured, in short."""
    return "chance-corrected AP" if prefix else "AP"


def highest(findings: Findings) -> float:
    """The highest sparsity of the study."""
    return float(findings.tables["overall"]["sparsity"].max())


def has_changes(findings: Findings, prefix: str) -> bool:
    """Whether any class has a defined change at a sparsity above 0."""
    return highest(findings) > 0 and bool(findings.tables["classes"][f"{prefix}{MOST}"].notna().any())


def has_counts(findings: Findings, prefix: str) -> bool:
    """The same, where any training frequency is known too."""
    return has_changes(findings, prefix) and bool((findings.tables["classes"]["train_count"] > 0).any())


def frequency(classes: pd.DataFrame) -> pd.Series:
    """Training images of each class, or test images where the former are unknown."""
    return classes["train_count"].fillna(classes["test_count"])


def table_of(
    name: str, shape: Callable[[pd.DataFrame], pd.DataFrame] | None = None
) -> Callable[[Findings], pd.DataFrame | None]:
    """A table of the analysis as the page shows it: shaped, and without the columns of tests where none was made."""
    return from_analysis(name, lambda table: without_tests(shape(table) if shape else table))


def raw_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Without the chance-corrected columns."""
    return table.drop(columns=[column for column in table if column.startswith(CORRECTED)])


def corrected_columns(table: pd.DataFrame, keys: tuple[str, ...]) -> pd.DataFrame:
    """The chance-corrected columns under the names and in the order of the raw ones, after those of ``keys``."""
    corrected = [column for column in table if column.startswith(CORRECTED)]
    kept = [column for column in keys if f"{CORRECTED}{column}" not in corrected]
    renamed = table[[*kept, *corrected]].rename(columns=lambda column: column.removeprefix(CORRECTED))
    return renamed[[column for column in raw_columns(table) if column in renamed]]


def band(axes: Axes, table: pd.DataFrame, prefix: str, look: tuple[str, str, str], name: str | None = None) -> None:
    """Median of mean AP over seeds by sparsity, with a band between the quartiles.

    Args:
        look: colour, line and marker.
        name: in the legend.
    """
    colour, line, marker = look
    x, low, high = table["sparsity"], table[f"{prefix}q25"], table[f"{prefix}q75"]
    axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(
        x, table[f"{prefix}median_mean_ap"], color=colour, linestyle=line, marker=marker, markersize=4, linewidth=1.6,
        label=name,
    )  # fmt: skip


def direction(row: pd.Series, alpha: float) -> int:
    """1, -1 or 0: the sign of Spearman's rho where it is significant."""
    return int(np.sign(row.spearman_rho)) if row.spearman_p < alpha else 0


def outcome(row: pd.Series, alpha: float, texts: Mapping[int, str]) -> str:
    """What a correlation shows, by its direction, or that nothing was tested."""
    if np.isnan(row.spearman_rho):
        return "Cannot be told"
    return NOT_TESTED[:-1] if np.isnan(row.spearman_p) else texts[direction(row, alpha)]


def frequency_caption(findings: Findings, y: str, prefix: str) -> str:
    """How ``y`` of a class goes with its training frequency, beside what equal forgetting would give."""
    row = findings.tables["correlations"].set_index("y").loc[f"{prefix}{y}"]
    censored = (
        f" {count(int(row.n_censored), 'class never drops', 'classes never drop')} that far: last rank in ρ, left out "
        "of r."
        if row.n_censored
        else ""
    )
    return (
        f"{correlation(row, 'classes')}; P of single correlations, as in the paper.{_if_alike(findings, y, prefix)}"
        f"{censored}"
    )


def _if_alike(findings: Findings, y: str, prefix: str) -> str:
    """What the correlation would be if all classes were forgotten alike: AP depends on prevalence."""
    table = findings.tables.get("rare_classes")
    if table is None:
        return ""
    scale, asked = ("ap_chance" if prefix else "ap"), ("change" if y == MOST else "first_drop")
    row = table[(table["scale"] == scale) & (table["outcome"] == asked)].iloc[0]
    if np.isnan(row.null_rho):
        return ""
    return (
        f" At {sparsity(row.sparsity)}, the highest sparsity that has not collapsed, ρ{TIED}={TIED}"
        f"{number(row.spearman_rho)}; if all classes were forgotten alike, it would be {number(row.null_rho)} (95% of "
        f"simulations {number(row.null_low)} to {number(row.null_high)})."
    )
