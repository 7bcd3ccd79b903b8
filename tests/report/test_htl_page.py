"""The page of a localization study: whole and safe for any findings, its sentences as the tables have it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from prunecxr.report.illustration import illustrate
from prunecxr.report.page import render
from prunecxr.studies.localization.analysis.study import Scores
from prunecxr.studies.localization.sections.catalogue import REPORT, SECTIONS
from prunecxr.studies.localization.sections.findings import HtlFindings
from tests.report.examples import lesion_findings as findings
from tests.report.examples import lesion_scores as scores


@pytest.fixture(scope="module")
def whole() -> HtlFindings:
    return findings(scores())


class Balanced(HTMLParser):
    VOID = ("meta", "img", "br", "wbr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def verdict_of(found: HtlFindings, start: str) -> str:
    (answer,) = (one for one in REPORT.answer(found) if one.question.startswith(start))
    return f"{answer.verdict} {answer.evidence}"


def test_page_is_whole_and_fetches_nothing(whole):
    page = render(REPORT, whole)
    reader = Balanced()
    reader.feed(page)
    assert not reader.open
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert set(whole.tables) - {one.name for one in SECTIONS if one.table} == {"drop_histogram"}
    assert page.count("<figure") == 9 + 1


def test_figures_are_those_of_the_tables(whole):
    drawn = {one.name for one in illustrate(SECTIONS, whole)}
    assert drawn == {
        "effect", "drops", "pruning_methods", "finetuning", "finetuning_methods", "sex", "age", "planted", "subgroups",
    }  # fmt: skip
    weak = Scores(**{**vars(scores(planted=False)), "train_iou": None})
    assert {one.name for one in illustrate(SECTIONS, findings(weak, "weak"))} == drawn - {
        "effect",
        "drops",
        "planted",
        "subgroups",
    }


def test_the_answers_follow_the_tables(whole):
    effect = whole.tables["effect"].set_index("fraction").loc[0.5]
    said = verdict_of(whole, "Does the foreground")
    assert said.startswith("The opposite: the background loses a larger share of what it has above a mask that marks")
    assert f"difference −{-100 * effect['above_difference']:.1f} points" in said
    assert verdict_of(whole, "Which way of pruning").startswith("Random pruning, at every pruned share.")
    row = whole.tables["paired"].query("approach == 'random' and metric == 'foreground'").iloc[0]
    said = verdict_of(whole, "Do HTLs help?")
    assert said.startswith(
        "Yes: foreground IoU is higher after fine-tuning on them than on random images (baseline 4),"
    )
    assert f"+{row['difference']:.3f} ({row['low']:.3f} to {row['high']:.3f}, P" in said
    assert verdict_of(whole, "Do HTLs find").startswith("Yes: images drawn hard are 5.0 times as frequent among")


@pytest.mark.parametrize(("better", "start"), [(-0.05, "The opposite: foreground IoU is lower"), (0.0, "Not shown:")])
def test_what_does_not_hold_is_said(better, start):
    assert verdict_of(findings(scores(better=better)), "Do HTLs help?").startswith(start)


def test_htls_that_miss_the_hard_images_are_said():
    given = scores()
    table = given.pool.assign(hard=~given.pool["hard"])
    found = findings(Scores(**{**vars(given), "pool": table}))
    assert verdict_of(found, "Do HTLs find").startswith("The opposite: images drawn hard are 0.0 times as frequent")


@pytest.mark.parametrize("setting", ["supervised", "semi", "weak"])
@pytest.mark.parametrize("seeds", [(10,), (10, 20)])
def test_few_seeds_and_no_htls_give_a_page(setting, seeds):
    given = scores(seeds)
    empty = Scores(
        **{
            **vars(given), "is_htl": np.zeros_like(given.is_htl), "undefined": np.ones(given.drop.shape, bool),
            "networks": {"plain": given.networks["plain"]},
        }
    )  # fmt: skip
    for found in (findings(given, setting), findings(empty, setting, gallery=())):
        page = render(REPORT, found, illustrate(SECTIONS, found) if setting == "semi" else ())
        text = re.sub(r"<style>.*?</style>|data:image[^\"]*", "", page, flags=re.DOTALL)
        assert not re.search(r"\bnan\b", text)
    assert "Cannot be told: no network was fine-tuned on HTLs." in page


def test_texts_are_escaped():
    found = findings(
        scores(odd="<b>x</b>"), study="<script>alert(1)</script>", warnings=["<i>w</i>"], provenance={"<u>": "<s>"}
    )
    page = render(REPORT, found, ())
    for text in ("<b>x</b>", "<script>", "<i>w</i>", "<u>", "<s>"):
        assert text not in page


def test_equal_findings_give_equal_figures(whole):
    first, again = illustrate(SECTIONS, whole), illustrate(SECTIONS, whole)
    assert [one.svg for one in first] == [one.svg for one in again]


@pytest.mark.parametrize(
    ("setting", "rule", "tau", "expected"),
    [
        (
            "supervised",
            "relative",
            0.4,
            "An HTL is an image that loses more than 40% of its foreground IoU when 70% of",
        ),
        (
            "supervised",
            "absolute",
            0.3,
            "An HTL is an image that loses more than 0.3 of its foreground IoU when 70% of",
        ),
        (
            "semi",
            "relative",
            0.4,
            "An HTL is an image whose pseudo-label's box changes by more than 0.4 (1 − IoU) when",
        ),
        (
            "weak",
            "top",
            0.1,
            "HTLs are the 10% of the images whose Grad-CAM++ box changes most when 70% of the weights",
        ),
    ],
)
def test_the_rule_in_words(whole, setting, rule, tau, expected):
    said = verdict_of(replace(whole, setting=setting, rule=rule, tau=tau), "Which images")
    assert expected in said
