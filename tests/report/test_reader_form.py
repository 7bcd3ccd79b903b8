"""What a form must and must not hold, and what the page of results says."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from prunecxr.report import reader_answers
from prunecxr.report.illustration import illustrate
from prunecxr.report.page import render
from prunecxr.studies.readers.analysis import summary
from prunecxr.studies.readers.sections.catalogue import REPORT, SECTIONS
from prunecxr.studies.readers.sections.findings import ReaderFindings
from prunecxr.studies.readers.sections.form import COLUMNS, Item, as_png, form_page, form_table
from tests.report.examples import answered

ODD = "</script><b>Mass</b> & \u2028"
ITEMS = [Item("BCDFGH", (ODD, "Edema"), as_png(np.zeros((8, 6), np.uint8))), Item("JKLMNP", (), b"png")]


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
    tables = {"reader_summary": summary(answered(shift=2))}
    page = render(REPORT, ReaderFindings("s", tables, ["Reader 1: <gap>"], {"Readers": "3"}))
    assert "PIEs are rated of better quality (P" in page
    assert "PIEs are rated more difficult (P" in page
    assert "Reader 1: &lt;gap&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    lower = summary(answered(shift=-2))
    said = reader_answers.sentences(lower, 0.05)
    assert "PIEs are rated of worse quality" in said[1]
    assert "PIEs are rated less difficult" in said[2]
    none = [reader_answers.verdict(row, 0.05) for row in summary(answered(n=30)).itertuples(index=False)]
    assert all(one.startswith("No difference between PIEs and other images is shown") for one in none)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_answers_are_told_and_drawn_without_a_test(n):
    table = summary(answered(n=60).head(n))
    findings = ReaderFindings("s", {"reader_summary": table})
    (drawn,) = illustrate(SECTIONS, findings)
    assert "Not tested: fewer than 3 answers in a group." in render(REPORT, findings, [drawn])
    assert drawn.png.startswith(b"\x89PNG")


def test_equal_tables_give_equal_figures():
    findings = ReaderFindings("s", {"reader_summary": summary(answered())})
    (first,), (again,) = (illustrate(SECTIONS, findings) for _ in range(2))
    assert first.svg == again.svg
