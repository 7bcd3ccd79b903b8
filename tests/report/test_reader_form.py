"""What a form must and must not hold, and what the page of results says."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from prunecxr.report.style import as_png as figure_png
from prunecxr.report.style import as_svg
from prunecxr.studies.readers.analysis import summary
from prunecxr.studies.readers.sections import findings as reader_findings
from prunecxr.studies.readers.sections.findings import ReaderFindings
from prunecxr.studies.readers.sections.form import COLUMNS, Item, as_png, form_page, form_table

ODD = "</script><b>Mass</b> & \u2028"
ITEMS = [Item("BCDFGH", (ODD, "Edema"), as_png(np.zeros((8, 6), np.uint8))), Item("JKLMNP", (), b"png")]


def answered(shift: float = 0.0, n: int = 60) -> pd.DataFrame:
    """Answers whose PIEs are rated `shift` higher by every reader."""
    rng = np.random.default_rng(0)
    is_pie = np.arange(n) % 2 == 0
    ratings = {
        name: np.clip(np.rint(3 + shift * is_pie + rng.normal(size=n)), 1, 5) for name in ("quality", "difficulty")
    }
    agree = (rng.random(n) < 0.5 + 0.1 * shift * is_pie).astype(float)
    return pd.DataFrame({"reader": np.arange(n) % 3, "is_pie": is_pie, "agree": agree, **ratings})


def test_a_form_is_one_file_that_asks_nothing_of_the_network():
    page = form_page(ITEMS, 1, 6, "a <study>", "run")
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    assert page.count("<script") == page.count("</script>") == 2
    assert "<b>Mass" not in page
    content = json.loads(re.search(r'id="content">(.*?)</script>', page).group(1))
    assert content["items"][0]["labels"] == [ODD, "Edema"]
    assert "a &lt;study&gt;" in page
    assert page == form_page(ITEMS, 1, 6, "a <study>", "run")


def test_every_question_is_a_group_with_a_name_and_every_choice_has_one():
    page = form_page(ITEMS, 1, 6, "s", "run")
    assert page.count("<fieldset") == page.count("<legend>") == 3
    assert page.count('type="radio"') == 12
    assert 'aria-label="1, very poor"' in page
    assert 'aria-label="5, very difficult"' in page
    assert '<html lang="en">' in page


def test_the_table_has_a_row_an_item_and_empty_answers():
    lines = form_table(ITEMS).splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[-1] == "JKLMNP,images/JKLMNP.png,,,,"


def test_sentences_follow_the_numbers():
    findings = ReaderFindings("s", summary(answered(shift=2)), ["Reader 1: <gap>"], {"Readers": "3"})
    page = reader_findings.page(findings, reader_findings.figure(findings.summary))
    assert "PIEs are rated of better quality (P" in page
    assert "PIEs are rated more difficult (P" in page
    assert "Reader 1: &lt;gap&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    lower = summary(answered(shift=-2))
    said = [reader_findings.caption(row, 0.05) for row in lower.itertuples(index=False)]
    assert "PIEs are rated of worse quality" in said[1]
    assert "PIEs are rated less difficult" in said[2]
    none = [reader_findings.verdict(row, 0.05) for row in summary(answered(n=30)).itertuples(index=False)]
    assert all(one.startswith("No significant difference between PIEs and other images") for one in none)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_answers_are_told_and_drawn_without_a_test(n):
    table = summary(answered(n=60).head(n))
    findings = ReaderFindings("s", table)
    drawn = reader_findings.figure(table)
    assert "Not tested: fewer than 3 answers in a group." in reader_findings.page(findings, drawn)
    assert figure_png(drawn).startswith(b"\x89PNG")


def test_equal_tables_give_equal_figures():
    table = summary(answered())
    assert as_svg(reader_findings.figure(table)) == as_svg(reader_findings.figure(table))
