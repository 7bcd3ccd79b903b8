"""Tables of the findings as HTML: rounded for reading, escaped, the wide ones pivoted or cut short."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from prunecxr.report.wording import MINUS
from prunecxr.studies.pruning.sections.findings import Findings

EXEMPLARS = 50
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
CORRECTED = "chance_corrected_"
TITLES = {
    "training": "Training (supplementary table 1)",
    "label_counts": "Images of each class by split (supplementary table 2)",
    "overall": "Mean AP by sparsity",
    "overall_corrected": "Mean chance-corrected AP by sparsity",
    "methods": "Mean AP by sparsity, all pruning methods",
    "methods_corrected": "Mean chance-corrected AP by sparsity, all pruning methods",
    "weights": "Weight magnitudes",
    "classes": "Classes",
    "curves": "Forgettability curves",
    "curves_corrected": "Forgettability curves, chance-corrected",
    "correlations": "Class frequency and forgetting",
    "pair_correlations": "Pairs of classes: correlations with FCD",
    "ols": "Pairs of classes: regression of FCD (equation 2)",
    "ols_corrected": "Pairs of classes: regression of chance-corrected FCD",
    "pairs": "Pairs of classes",
    "pie_ratios": "Classes and numbers of diseases in PIEs",
    "pie_overlap": "PIEs of different measures of agreement",
    "pie_stability": "PIEs of seeds drawn anew",
    "pies": "Pruning-identified exemplars",
}
NOTES = {
    "overall": "n: seeds with a value; welch: Welch's t-test against the dense models.",
    "overall_corrected": "Mean over classes of (AP − prevalence) / (1 − prevalence), tested in the same way.",
    "training": "Of the dense models; range over seeds where they differ.",
    "label_counts": "Splits whose counts this study knows; the last row counts images.",
    "methods": "Median over seeds; one column a sparsity.",
    "methods_corrected": "Median over seeds; one column a sparsity.",
    "weights": "share: of the prunable weights of the dense models with low ≤ magnitude < high, median and quartiles "
    "over seeds; share_below: of those below high. Empty bins are left out.",
    "classes": "first_drop_20: smallest sparsity whose median drop exceeds 20%, empty where there is none; "
    "floor_at_max: the raw change of a class forgotten entirely.",
    "curves": "Median over seeds of the relative change in AP; one column a sparsity.",
    "curves_corrected": "Median over seeds of the change relative to AP above chance; one column a sparsity.",
    "correlations": "n: classes in Spearman's rho; n_pearson: in Pearson's r, without the censored ones.",
    "pair_correlations": "y: FCD of raw and of chance-corrected curves, in each definition; n: pairs.",
    "ols": "Of FCD on |LogFreqDiff|, IoU^¼ and their product; se: standard error; t and p: of a coefficient of 0.",
    "ols_corrected": "The same of FCD between chance-corrected curves.",
    "pie_ratios": "low and high: 95% interval from a bootstrap over patients.",
    "pie_overlap": "jaccard: images that are PIEs of both measures over those of either; n: of both.",
    "pie_stability": "Jaccard index of the PIEs of resampled seeds with those of all seeds: quantiles over resamples.",
}


def html_tables(findings: Findings) -> str:
    """Every table of the findings, with its title and note, each in a box that scrolls."""
    parts = []
    for name, table in _for_reading(findings).items():
        note = f"<p class='quiet'>{escape(NOTES[name])}</p>" if name in NOTES else ""
        title = escape(TITLES[name])
        box = f'<div class="table" tabindex="0" role="region" aria-label="{title}">{html_table(table)}</div>'
        parts.append(f"<h3>{title}</h3>{note}{box}")
    return f'<div class="tables">{"".join(parts)}</div>'


def html_table(table: pd.DataFrame) -> str:
    """One table; numbers to four significant digits, nothing for NaN."""
    text = [not pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    head = "".join(_cell("th", str(name), left) for name, left in zip(table.columns, text, strict=True))
    head = head.replace("_", "_<wbr>")  # where long names may break on paper
    columns = [[_cell("td", _shown(value), left) for value in table.iloc[:, i]] for i, left in enumerate(text)]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _for_reading(findings: Findings) -> dict[str, pd.DataFrame]:
    """The tables in the order of :data:`TITLES`: curves as class by sparsity, the first PIEs alone."""
    tables = dict(findings.tables)
    tables["overall"], tables["overall_corrected"] = _parted(tables["overall"], ["sparsity", "n"])
    if "curves" in tables:
        curves = tables["curves"]
        tables["curves"] = _pivoted(curves, "relative_change")
        tables["curves_corrected"] = _pivoted(curves, "chance_corrected_relative_change")
    if "methods" in tables:
        methods = tables["methods"]
        tables["methods"] = _pivoted(methods, "median_mean_ap", "method")
        tables["methods_corrected"] = _pivoted(methods, f"{CORRECTED}median_mean_ap", "method")
    if "ols" in tables:
        tables["ols"], tables["ols_corrected"] = _parted(tables["ols"], ["definition", "term"])
    if "weights" in tables:
        tables["weights"] = tables["weights"][tables["weights"]["share"] > 0]
    if "pie_stability" in tables:
        found = tables["pie_stability"]["jaccard"].quantile(list(QUANTILES))
        tables["pie_stability"] = pd.DataFrame({"quantile": QUANTILES, "jaccard": found.to_numpy()})
    if "pies" in tables:
        pies = tables["pies"]
        columns = ["id", "subject_id", "agreement", *(c for c in pies.columns if c.startswith(("top_", "is_pie_")))]
        tables["pies"] = pies.loc[pies["is_pie"], columns].head(EXEMPLARS)
    return {name: _tested(tables[name]) for name in TITLES if name in tables}


def _parted(table: pd.DataFrame, shared: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The raw columns and the chance-corrected ones, both with the shared columns; names without the prefix."""
    corrected = [column for column in table if column.startswith(CORRECTED)]
    beside = [column for column in shared if f"{CORRECTED}{column}" not in corrected]
    renamed = table[[*beside, *corrected]].rename(columns=lambda column: column.removeprefix(CORRECTED))
    raw = table.drop(columns=corrected)
    return raw, renamed[[column for column in raw if column in renamed]]


def _tested(table: pd.DataFrame) -> pd.DataFrame:
    """Without the columns of tests, where none was made."""
    p = [column for column in table if column == "p" or column.endswith(("_p", "_p_holm"))]
    if not p or table[p].notna().any(axis=None):
        return table
    return table.drop(
        columns=[column for column in table if column in p or column.startswith(("welch", "significant"))]
    )


def _pivoted(curves: pd.DataFrame, value: str, index: str = "class") -> pd.DataFrame:
    wide = curves.pivot_table(index=index, columns="sparsity", values=value, sort=False, dropna=False)
    wide = wide.round(3) + 0.0  # no minus before a zero
    return wide.rename(columns=lambda k: f"{k:g}").reset_index().rename_axis(columns=None)


def _cell(tag: str, text: str, left: bool) -> str:
    kind = ' class="text"' if left else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"


def _shown(value: object) -> str:
    if value is pd.NA:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.4g}".replace("-", MINUS)
    return str(value)
