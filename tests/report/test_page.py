"""The page: complete, escaped, self-contained, and the same text for the same study."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from prunecxr.report.page import render
from prunecxr.report.tables import html_table
from prunecxr.studies.pruning.sections.catalogue import REPORT
from prunecxr.studies.pruning.sections.findings import gallery
from prunecxr.studies.pruning.sections.pies import EXEMPLARS
from tests.report.examples import section

VOID = {"meta", "img", "br", "wbr"}


class Checker(HTMLParser):
    """Collects text and addresses, and fails where tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.prose: list[str] = []  # without tables
        self.addresses: list[str] = []
        self.images: list[dict] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and "style" not in self.open:
            self.text.append(" ".join(data.split()))
            if "table" not in self.open:
                self.prose.append(self.text[-1])


@pytest.fixture(scope="module")
def page(findings, drawn) -> Checker:
    return Checker(render(REPORT, findings, drawn))


@pytest.fixture(scope="module")
def odd_page(odd_findings) -> Checker:
    return Checker(render(REPORT, odd_findings))


def test_nothing_is_fetched(page: Checker, findings) -> None:
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert "url(" not in render(REPORT, findings, [])


def test_targets_of_the_navigation_exist(findings) -> None:
    html = render(REPORT, findings, [])
    for target in re.findall(r'href="#([\w-]+)"', html):
        assert f'id="{target}"' in html


def test_every_image_has_an_alternative(page: Checker, drawn) -> None:
    assert len(page.images) == sum(section(one.name).on_page for one in drawn) + 3
    assert all(len(image["alt"]) > 20 for image in page.images)


def test_everything_is_escaped(odd_page: Checker) -> None:
    assert "script" not in odd_page.tags
    assert any('<b>Mass & $x$ "co"</b>' in text for text in odd_page.text)


def test_warnings_are_shown_and_counted(odd_page: Checker, odd_findings) -> None:
    text = "\n".join(odd_page.text)
    assert f"Warnings ({len(odd_findings.warnings)})" in text
    assert all(warning in text for warning in odd_findings.warnings)
    assert "1 of 10 variants missing" in text


def test_a_complete_study_has_no_warnings(make_findings) -> None:
    """All inputs, enough seeds and positives, nothing collapsed, and every class loses 20% somewhere."""

    def edit(scores):
        return scores.assign(ap=scores["ap"].where(scores["sparsity"] < 0.8, 0.7 * scores["ap"]))

    complete = make_findings(edit, n_seeds=6, n_images=2000, n_classes=6, sparsities=(0.0, 0.5, 0.8))
    assert complete.warnings == []
    page = Checker(render(REPORT, complete, []))
    assert "Warnings (0)" in page.text
    assert "None: nothing is missing and nothing undefined." in page.text


def test_gallery_without_images_says_why(odd_page: Checker, findings) -> None:
    assert odd_page.text.count("image not available here") == 3
    empty = Checker(render(REPORT, replace(findings, gallery=(), gallery_note="images have moved"), []))
    assert "images have moved" in empty.text
    assert "No pruning-identified exemplars to show." in Checker(render(REPORT, replace(findings, gallery=()), [])).text


def test_without_pairs_and_predictions(findings) -> None:
    tables = {name: findings.tables[name] for name in ("overall", "curves", "classes", "correlations")}
    Checker(render(REPORT, replace(findings, tables=tables, gallery=())))


def test_readers_who_were_not_asked_are_mentioned(findings) -> None:
    assert any("there are no answers yet" in text for text in Checker(render(REPORT, findings, [])).text)


def test_definition_is_stated(findings) -> None:
    for definition in ("paper", "published"):
        text = Checker(render(REPORT, replace(findings, definition=definition), [])).text
        assert any(f"Pairs of classes: the answers above use the definition '{definition}'" in line for line in text)


def test_long_tables_are_cut(findings) -> None:
    pies = pd.concat([findings.tables["pies"].head(30)] * 10)
    tables = {**findings.tables, "pies": pies}
    text = Checker(render(REPORT, replace(findings, tables=tables, gallery=()), [])).text
    assert text.count(pies.id.iloc[3]) == EXEMPLARS // 30 + 1


def test_table_cells() -> None:
    table = pd.DataFrame({"name<": ["a&b"], "x": [-0.123456], "n": [3], "none": [np.nan], "yes": [True]})
    checker = Checker(html_table(table))
    assert checker.text == ["name<", "x", "n", "none", "yes", "a&b", "−0.1235", "3", "yes"]


def test_gallery_of_predictions(findings, make_study) -> None:
    study = make_study()

    def unreadable(_image_id: str) -> np.ndarray:
        raise OSError("disk on fire")

    items = gallery(findings.tables["pies"], study.labels, study.dense, study.pruned, unreadable, count=2)
    assert [item.id for item in items] == findings.tables["pies"].id.head(2).tolist()
    item = items[0]
    assert item.note == "image could not be read: disk on fire"
    row = findings.tables["pies"].iloc[0]
    names = [one.name for one in item.predictions]
    assert {row.top_dense, row.top_pruned, *item.labels} <= set(names)
    assert [one.dense for one in item.predictions] == sorted((one.dense for one in item.predictions), reverse=True)
    assert set(item.labels) == {name for name in study.labels.columns[2:] if row[name]}
