"""Tables as HTML: rounded for reading, escaped, the long ones spread to two dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from types import MappingProxyType

import numpy as np
import pandas as pd
from markupsafe import Markup

from prunecxr.report.wording import MINUS


def html_table(table: pd.DataFrame, marks: Mapping[str, str] | None = None) -> Markup:
    """One table; numbers to four significant digits, nothing for NaN.

    Args:
        marks: text of a cell -> CSS class.
    """
    marks = marks or {}
    text = [not pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    head = "".join(_cell("th", str(name), left) for name, left in zip(table.columns, text, strict=True))
    head = head.replace("_", "_<wbr>")  # where long names may break on paper
    columns = [[_cell("td", _shown(value), left, marks) for value in table.iloc[:, i]] for i, left in enumerate(text)]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True))
    return Markup(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")  # every cell is escaped


def by_sparsity(table: pd.DataFrame, value: str, index: str = "class") -> pd.DataFrame:
    """One row per ``index``, one column per sparsity, in the order of the table; rounded to three decimals."""
    wide = table.pivot_table(index=index, columns="sparsity", values=value, sort=False, dropna=False)
    wide = wide.round(3) + 0.0  # no minus before a zero
    return wide.rename(columns=lambda k: f"{k:g}").reset_index().rename_axis(columns=None)


def without_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Without the columns of tests, where none was made."""
    p = [column for column in table if column == "p" or column.endswith(("_p", "_p_holm"))]
    if not p or table[p].notna().any(axis=None):
        return table
    return table.drop(
        columns=[column for column in table if column in p or column.startswith(("welch", "significant"))]
    )


def _cell(tag: str, text: str, left: bool, marks: Mapping[str, str] = MappingProxyType({})) -> str:
    names = [marks[text]] if text in marks else ["text"] * left
    kind = f' class="{escape(names[0])}"' if names else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"


def _shown(value: object) -> str:
    if value is pd.NA:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.4g}".replace("-", MINUS)
    return str(value)
