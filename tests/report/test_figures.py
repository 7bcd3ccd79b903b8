"""Every figure can be drawn from every table, and the same table gives the same bytes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from prunecxr.report.illustration import illustrate
from prunecxr.report.style import as_png, as_svg
from prunecxr.studies.pruning.sections.catalogue import SECTIONS
from prunecxr.studies.pruning.sections.shared import PAIRS
from prunecxr.studies.readers.analysis import summary
from tests.report.examples import section

CORRECTED = "_chance_corrected"
SCALES = ("_ap_ref", "", CORRECTED)
BESIDE = ["forgettability_curves", "first_drop", "change_at_max"]
OF_PAIRS = ["pairs_frequency", "pairs_overlap", "interaction"]
ALL = [
    "mean_ap", "weight_magnitudes", *(f"methods{end}" for end in ("", CORRECTED)),
    "changes_ap_ref", "change_by_frequency", *(name + end for name in BESIDE for end in ("", CORRECTED)),
    "chance_correction",
    *(name + definition + end for definition in ("", "_published") for name in OF_PAIRS for end in SCALES),
    "sensitivity", "calibration_by_sparsity", "reliability", "subgroup_gaps",
    "pie_classes", "pie_diseases", "pie_excess", "pie_gallery",
]  # fmt: skip


def test_all_figures_with_title_caption_and_alt_text(drawn) -> None:
    assert [one.name for one in drawn] == ALL
    for one in drawn:
        assert isinstance(one.figure, Figure)
        assert section(one.name).title
        assert one.alt
        assert one.caption
        assert one.svg.startswith(b"<?xml")
        assert one.png.startswith(b"\x89PNG")


def test_odd_names_gaps_and_few_seeds(odd_findings) -> None:
    assert [one.name for one in illustrate(SECTIONS, odd_findings)] == ALL[:-1]


@pytest.mark.parametrize(
    "options",
    [
        {"n_classes": 2, "n_images": 100},
        {"n_classes": 3, "n_seeds": 1},
        {"sparsities": (0.0, 0.05)},
        {"sparsities": (0.0,)},
        {"n_images": 12},
    ],
)
def test_small_studies(make_findings, options: dict) -> None:
    assert illustrate(SECTIONS, make_findings(**options))[0].name == "mean_ap"


@pytest.mark.parametrize("count", [None, 0])
def test_without_training_frequencies(make_findings, count: int | None) -> None:
    def edit(scores):
        scores = scores.drop_vars("train_count")
        return scores if count is None else scores.assign_coords(train_count=("class", [count] * scores.sizes["class"]))

    names = [one.name for one in illustrate(SECTIONS, make_findings(edit))]
    assert "first_drop" not in names
    assert "chance_correction" in names


def test_everything_censored(make_findings) -> None:
    def edit(scores):
        scores["ap"] = 0.9 + 0 * scores.ap
        return scores

    names = [one.name for one in illustrate(SECTIONS, make_findings(edit))]
    assert "first_drop" in names


def test_equal_tables_give_equal_bytes(findings) -> None:
    for render in (as_svg, as_png):
        first, second = (render(section("mean_ap").draw(findings)) for _ in range(2))
        assert first == second


def test_points_are_the_table(findings) -> None:
    classes = findings.tables["classes"]
    axes = section("change_at_max").draw(findings).axes[0]
    np.testing.assert_allclose(
        axes.collections[0].get_offsets(), classes[["train_count", "relative_change_at_max"]].to_numpy(float)
    )
    assert sorted(text.get_text() for text in axes.texts) == sorted(classes["class"])


def test_a_pair_can_be_named(findings) -> None:
    pair = ("Nodule", "No Finding")
    figure = section("pairs_overlap").draw(replace(findings, highlight=pair))
    assert [text.get_text() for text in figure.axes[0].texts] == ["Nodule &\nNo Finding"]


def test_histogram_marks_the_small_weights(findings) -> None:
    axes = section("weight_magnitudes").draw(findings).axes[0]
    hatched = [bar for bar in axes.patches if bar.get_hatch()]
    assert max(bar.get_x() + bar.get_width() for bar in hatched) == pytest.approx(0.01)
    table = findings.tables["weights"].query("low > 0 and high <= 0.01")
    assert [bar.get_height() for bar in hatched] == table.loc[table.share > 0, "share"].tolist()


def test_methods_differ_in_more_than_colour(findings) -> None:
    table = findings.tables["methods"]
    lines = section("methods").draw(findings).axes[0].get_lines()
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == table["method"].nunique() == 2


def test_ratios_that_a_log_axis_cannot_show(findings) -> None:
    table = findings.tables["pie_ratios"].copy()
    table.loc[:2, "ratio"] = [0.0, np.inf, np.nan]
    axes = section("pie_classes").draw(replace(findings, tables={**findings.tables, "pie_ratios": table})).axes[0]
    assert {"not in PIEs", "only in PIEs", "no such image"} == {text.get_text() for text in axes.texts}


def test_other_definition(findings) -> None:
    sections = [one for one in SECTIONS if one.part == PAIRS]
    drawn = {one.name: one.figure for one in illustrate(sections, replace(findings, definition="published"))}
    assert "pairs_overlap_published" not in drawn
    assert drawn["pairs_overlap"].axes[0].get_ylabel() == "FCD (definition 'published')"
    assert drawn["pairs_overlap_paper"].axes[0].get_ylabel() == "FCD (definition 'paper')"


def test_what_readers_said_is_figure_6(findings) -> None:
    rng = np.random.default_rng(0)
    answers = pd.DataFrame({"reader": np.repeat([1, 2], 20), "is_pie": np.tile([True, False], 20)})
    answers = answers.assign(agree=rng.integers(0, 2, 40), quality=rng.integers(1, 6, 40), difficulty=3.0)
    readers = section("readers")
    assert readers.draw(findings) is None
    assert readers.draw(replace(findings, readers=summary(answers))) is not None
    caption = readers.caption(replace(findings, readers=summary(answers)))
    assert "Kruskal-Wallis H" in caption
    assert "Difficulty: Not tested: all answers are the same." in caption


def test_lines_of_the_interaction_are_the_regression(findings) -> None:
    effects, ols = findings.tables["partial_effects"], findings.tables["ols"]
    for y, prefix in (("fcd", ""), ("chance_corrected_fcd", "chance_corrected_")):
        name = f"interaction_published{'_chance_corrected' if prefix else ''}"
        axes = section(name).draw(findings).axes[0]
        beta = ols.loc[ols.definition == "published", f"{prefix}coefficient"].to_numpy()
        rows = effects[(effects.definition == "published") & (effects.y == y)]
        for line, (_, part) in zip(axes.get_lines(), rows.groupby("quantile"), strict=True):
            overlap, difference = line.get_xdata(), part.log_freq_diff.iloc[0]
            fitted = beta[0] + beta[1] * difference + beta[2] * overlap + beta[3] * difference * overlap
            np.testing.assert_allclose(line.get_ydata(), fitted, rtol=1e-9, atol=1e-12)
        assert len({(line.get_linestyle(), line.get_marker()) for line in axes.get_lines()}) == 3


def test_nothing_global_is_used() -> None:
    modules = "prunecxr.studies.pruning.sections.catalogue, prunecxr.report.writing"
    code = f"import {modules}, sys; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
