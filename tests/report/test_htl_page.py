"""The page of a localization study: whole and safe for any findings, its sentences as the tables have it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from prunecxr.studies.localization.analysis.htl import REGIONS
from prunecxr.studies.localization.analysis.study import Options, Scores, analyse
from prunecxr.studies.localization.sections import sentences as htl_sentences
from prunecxr.studies.localization.sections.findings import GalleryRow, HtlFindings
from prunecxr.studies.localization.sections.illustrations import illustrate
from prunecxr.studies.localization.sections.page import TITLES, render

OPTIONS = Options(
    prune_fraction=0.7,
    effect_fractions=(0.25, 0.5, 0.75),
    ablation_methods=("random", "magnitude", "magnitude@channel"),
    ablation_fractions=(0.2, 0.7),
    resamples=200,
)


def scores(seeds=(10, 20, 30), better: float = 0.05, planted: bool = True, odd: str = "female") -> Scores:
    """A study in which the foreground loses more, hard images lose most, and HTLs help by `better`."""
    rng = np.random.default_rng(0)
    n, n_test = 80, 40
    hard = np.arange(n) % 5 == 0
    shares = (0.0, 0.25, 0.5, 0.7, 0.75)
    iou = np.empty((len(seeds), len(shares), n, 2))
    for i, share in enumerate(shares):
        iou[:, i, :, 0] = 0.95 - 0.1 * share
        iou[:, i, :, 1] = 0.8 - share * (0.3 + 0.4 * hard)
    iou -= 0.02 * rng.random(iou.shape)
    pool = pd.DataFrame(
        {
            "id": [f"i{i}" for i in range(n)], "subject": [f"p{i // 2}" for i in range(n)],
            "age": np.where(np.arange(n) % 9 == 0, np.nan, rng.integers(20, 80, n)),
            "sex": np.where(np.arange(n) % 7 == 0, "unknown", rng.choice([odd, "male"], n)),
        }
    )  # fmt: skip
    if planted:
        pool = pool.assign(hard=hard, subgroup=np.where(hard, "small", "common"))
    drop = iou[:, 0, :, 1] - iou[:, 3, :, 1]
    base = rng.random((1, n_test, 4)) * 0.2 + 0.5
    gains = {"plain": 0, "focal": 0, "htl": better, "random": 0, "class": 0, "sex": 0, "htl:random": better / 2}
    networks = {name: (seeds, base + gain + 0.01 * rng.random((len(seeds), n_test, 4))) for name, gain in gains.items()}
    pruned = [
        {"seed": seed, "method": method, "fraction": share, "foreground": 0.8 - share * worse, "background": 0.9}
        for seed in seeds
        for method, worse in (("random", 1.0), ("magnitude", 0.2), ("magnitude@channel", 0.5))
        for share in (0.0, 0.2, 0.7)
    ]
    return Scores(
        seeds=tuple(seeds), pool=pool, is_htl=drop > 0.4 * iou[:, 0, :, 1], drop=drop,
        undefined=np.zeros(drop.shape, bool), networks=networks, pruned=pd.DataFrame(pruned),
        test_subjects=[f"t{i}" for i in range(n_test)], train_subjects=pool["subject"].tolist(),
        train_iou=xr.DataArray(
            iou, dims=("seed", "fraction", "image", "region"),
            coords={"seed": list(seeds), "fraction": list(shares), "region": list(REGIONS)},
        ),
    )  # fmt: skip


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 10)).save(buffer, format="PNG")
    return buffer.getvalue()


def findings(given: Scores, setting: str = "supervised", **changes) -> HtlFindings:
    found = analyse(given, OPTIONS)
    chosen = {
        "study": "tiny", "setting": setting, "method": "magnitude", "prune_fraction": 0.7, "rule": "relative",
        "tau": 0.4, "tables": found.tables, "warnings": found.warnings, "provenance": {"Seeds": "3: 10, 20, 30"},
        "gallery": (GalleryRow("i5", given.seeds[0], 0.8, 0.1, picture()),),
    }  # fmt: skip
    return HtlFindings(**{**chosen, **changes})


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
    (answer,) = (one for one in htl_sentences.answers(found) if one.question.startswith(start))
    return f"{answer.verdict} {answer.evidence}"


def test_page_is_whole_and_fetches_nothing(whole):
    page = render(whole)
    reader = Balanced()
    reader.feed(page)
    assert not reader.open
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert set(whole.tables) - set(TITLES) == {"drop_histogram"}
    assert page.count("<figure>") == 9 + 1


def test_figures_are_those_of_the_tables(whole):
    drawn = {one.name for one in illustrate(whole)}
    assert drawn == {
        "effect", "drops", "pruning_methods", "finetuning", "finetuning_methods", "sex", "age", "planted", "subgroups",
    }  # fmt: skip
    weak = Scores(**{**vars(scores(planted=False)), "train_iou": None})
    assert {one.name for one in illustrate(findings(weak, "weak"))} == drawn - {
        "effect",
        "drops",
        "planted",
        "subgroups",
    }


def test_the_answers_follow_the_tables(whole):
    effect = whole.tables["effect"].set_index("fraction").loc[0.5]
    said = verdict_of(whole, "Does pruning hurt")
    assert said.startswith("Yes: the foreground loses more of its IoU at all of 3 pruned shares.")
    assert f"difference {100 * effect['difference']:.1f} points" in said
    assert verdict_of(whole, "Which way of pruning").startswith("Random pruning, at every share.")
    row = whole.tables["paired"].query("approach == 'random' and metric == 'foreground'").iloc[0]
    said = verdict_of(whole, "Does fine-tuning")
    assert said.startswith("More than fine-tuning on as many random images.")
    assert f"+{row['difference']:.3f} (95% CI over images {row['low_images']:.3f}" in said
    assert verdict_of(whole, "Do HTLs find").startswith("Yes: 5.0 times as often as a random choice, in every one of 3")


@pytest.mark.parametrize(
    ("better", "start"),
    [
        (-0.05, "Less than fine-tuning on as many random images."),
        (0.0, "More than fine-tuning on as many random images, but not beyond what"),
    ],
)
def test_what_does_not_hold_is_said(better, start):
    said = verdict_of(findings(scores(better=better)), "Does fine-tuning")
    assert said.startswith(start) or (better == 0 and "but not beyond what" in said)


def test_a_foreground_that_loses_less_is_said():
    given = scores()
    iou = given.train_iou.isel(region=[1, 0]).assign_coords(region=list(REGIONS))
    said = verdict_of(findings(Scores(**{**vars(given), "train_iou": iou})), "Does pruning hurt")
    assert said.startswith("No: at none of 3 pruned shares the foreground loses more.")


def test_htls_that_miss_the_hard_images_are_said():
    given = scores()
    table = given.pool.assign(hard=~given.pool["hard"])
    assert verdict_of(findings(Scores(**{**vars(given), "pool": table})), "Do HTLs find").startswith(
        "No: in 3 of 3 seeds less"
    )


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
        page = render(found, illustrate(found) if setting == "semi" else ())
        text = re.sub(r"<style>.*?</style>|data:image[^\"]*", "", page, flags=re.DOTALL)
        assert not re.search(r"\bnan\b", text)
    assert "Cannot be told: no network was fine-tuned on HTLs." in page


def test_texts_are_escaped():
    found = findings(
        scores(odd="<b>x</b>"), study="<script>alert(1)</script>", warnings=["<i>w</i>"], provenance={"<u>": "<s>"}
    )
    page = render(found, ())
    for text in ("<b>x</b>", "<script>", "<i>w</i>", "<u>", "<s>"):
        assert text not in page


def test_equal_findings_give_equal_figures(whole):
    first, again = illustrate(whole), illustrate(whole)
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
