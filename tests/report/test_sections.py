"""An element of a report costs one file: page, contents, files and a golden text follow from it."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from jinja2 import UndefinedError
from matplotlib.figure import Figure

import prunecxr
from prunecxr.report.page import render
from prunecxr.report.section import Answer, Section
from prunecxr.report.style import new_figure
from prunecxr.report.template import fill
from prunecxr.report.writing import write
from prunecxr.studies.localization.sections import catalogue as localization
from prunecxr.studies.pruning.sections import catalogue as pruning
from prunecxr.studies.readers.analysis import summary
from prunecxr.studies.readers.sections import catalogue as readers
from prunecxr.studies.readers.sections.findings import ReaderFindings
from prunecxr.studies.search.sections import catalogue as search
from prunecxr.studies.search.sections.answer import answer as answer_of_search
from tests.report.examples import answered, lesion_findings, lesion_scores, search_findings

GOLDEN = Path(__file__).with_name("golden")
CATALOGUES = {"pruning": pruning, "localization": localization, "readers": readers, "search": search}
REPORTS = {
    "pruning": pruning.REPORT,
    "localization": localization.REPORT,
    "readers": readers.REPORT,
    "search": search.REPORT,
}
WHATEVER_READERS_SAY = summary(answered(shift=2))


def _figure(_findings: object) -> Figure:
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1])
    return figure


MADE_UP: Section = Section(
    name="made_up",
    title="What nobody <expects>",
    part="Elsewhere",
    table=lambda _: pd.DataFrame({"class": ["Mass & more"], "surprise": [0.5]}),
    note="surprise: made up.",
    figure=_figure,
    caption=lambda findings: f"Of {findings.study}.",
    alt=lambda _: "One line that rises.",
)


@pytest.fixture(scope="module")
def examples(findings) -> dict[str, object]:
    """Findings of every kind of study."""
    return {
        "pruning": replace(findings, readers=WHATEVER_READERS_SAY),
        "localization": lesion_findings(lesion_scores()),
        "readers": ReaderFindings("tiny", {"reader_summary": WHATEVER_READERS_SAY}, provenance={"Readers": "3"}),
        "search": search_findings(4),
    }


@pytest.mark.parametrize("study", list(REPORTS))
def test_an_element_is_one_object(study: str, examples, tmp_path) -> None:
    report = replace(REPORTS[study], sections=(MADE_UP,))
    write(tmp_path, report, examples[study])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    navigation, body = page.split("</nav>")
    assert '<a href="#figure-made_up">What nobody &lt;expects&gt;</a>' in navigation
    assert '<a href="#table-made_up">What nobody &lt;expects&gt;</a>' in navigation
    assert "<h3>Elsewhere</h3>" in body
    assert '<figure id="figure-made_up"><img alt="One line that rises."' in body
    assert "<strong>What nobody &lt;expects&gt;.</strong> Of tiny.</figcaption>" in body
    assert '<h3 id="table-made_up">What nobody &lt;expects&gt;</h3>' in body
    assert '<p class="quiet">surprise: made up.</p>' in body
    assert '<td class="text">Mass &amp; more</td>' in body
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"made_up.svg", "made_up.png"}
    assert (tmp_path / "figures" / "made_up.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "tables" / "made_up.csv").read_text() == "class,surprise\nMass & more,0.5\n"
    tables = {path.stem for path in (tmp_path / "tables").iterdir()}
    assert tables - {"verdicts"} == {"made_up", *examples[study].tables}
    assert ("verdicts" in tables) == (study in ("pruning", "localization"))


def test_what_has_no_data_is_left_out(findings) -> None:
    absent = replace(MADE_UP, table=lambda _: None, wanted=lambda _: False)
    page = render(replace(pruning.REPORT, sections=(absent,)), findings)
    assert "made_up" not in page
    assert "Elsewhere" not in page
    told = replace(absent, absent=lambda _: "Nobody was asked.")
    page = render(replace(pruning.REPORT, sections=(told,)), findings)
    assert re.search(r"<h3>Elsewhere</h3>\s*<p class=\"quiet\">Nobody was asked.</p>", page)


def test_a_table_that_is_part_of_another_is_no_file(findings, tmp_path) -> None:
    write(tmp_path, replace(pruning.REPORT, sections=(replace(MADE_UP, csv=False, figure=None),)), findings)
    assert not (tmp_path / "tables" / "made_up.csv").exists()
    assert not list((tmp_path / "figures").iterdir())


@pytest.mark.parametrize("study", list(CATALOGUES))
def test_every_element_has_a_name_and_its_words(study: str) -> None:
    sections = CATALOGUES[study].SECTIONS
    names = [section.name for section in sections]
    assert len(names) == len(set(names))
    titles = [section.title for section in sections if section.figure is not None]
    assert len(titles) == len(set(titles))
    for section in sections:
        assert re.fullmatch(r"\w+", section.name)
        assert section.title
        assert section.table is not None or section.figure is not None
        if section.figure is not None:
            blank = Section.__dataclass_fields__["caption"].default
            assert blank not in (section.caption, section.alt), section.name
            assert study in ("readers", "search") or section.part, section.name


@pytest.mark.parametrize("study", list(CATALOGUES))
def test_every_file_is_in_the_list(study: str) -> None:
    """A file that makes a section, or answers a question, and that the catalogue forgets is dead."""
    listed = CATALOGUES[study]
    folder = importlib.import_module(f"prunecxr.studies.{study}.sections")
    for module in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
        loaded = importlib.import_module(module.name)
        values = [
            *vars(loaded).values(),
            *(one for many in vars(loaded).values() if isinstance(many, tuple) for one in many),
        ]
        assert all(value in listed.SECTIONS for value in values if isinstance(value, Section)), module.name
        if ".answers." in module.name:
            assert loaded.answer in listed.ANSWERS, module.name


PACKAGE = Path(prunecxr.__file__).parent
PAGES = [*PACKAGE.glob("report/*.py"), *PACKAGE.glob("studies/*/sections/**/*.py")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_pages_know_no_other_study_no_training_and_no_tracking(path: Path) -> None:
    """Read from the text, so that a new file is covered the day it is written."""
    study = path.relative_to(PACKAGE).parts[1] if "studies" in path.parts else None
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert not re.match(r"torch|mlflow|prunecxr\.(tracking|data|learning|compression|work)\b", name), name
            if name.startswith("prunecxr.studies."):
                assert name.split(".")[2] == study, name


def text_of(section: Section, findings: object) -> str | None:
    """What an element says: part, title, caption and alternative text, note, and the columns of its table."""
    lines = []
    if section.figure is not None and section.wanted(findings):
        lines += [
            f"figure: {section.part} / {section.title}",
            section.caption(findings),
            f"alt: {section.alt(findings)}",
        ]
    table = section.table(findings) if section.table else None
    if table is not None:
        lines += [f"table: {section.title}", section.note, f"{len(table)} rows: {', '.join(map(str, table.columns))}"]
    return plain(lines) if lines else None


def plain(lines: Iterable[str]) -> str:
    """Lines of text with plain spaces; empty ones are left out."""
    return "".join(f"{' '.join(line.split())}\n" for line in lines if line.strip())


def snapshots(study: str, findings) -> dict[str, str]:
    """File name -> text of every section and answer, and of the rest of the page."""
    report = REPORTS[study]
    texts = {section.name: text_of(section, findings) for section in report.sections}
    for answer in report.answer(findings):
        name = re.sub(r"\W+", "_", answer.question.lower()).strip("_")
        texts[f"answer_{name}"] = plain([answer.question, answer.verdict, answer.evidence])
    page = render(replace(report, sections=(), answers=()), findings, [])
    words = re.sub(r"<style>.*?</style>|<table>.*?</table>", "", page, flags=re.DOTALL)
    texts["page"] = plain(unescape(line) for line in re.sub(r"<[^>]+>", "\n", words).splitlines())
    return {name: text for name, text in texts.items() if text is not None}


@pytest.mark.parametrize("study", list(REPORTS))
def test_texts_are_the_golden_ones(study: str, examples) -> None:
    """After an intended change: PRUNECXR_UPDATE_GOLDEN=1 pytest tests/report, and read the difference."""
    texts = snapshots(study, examples[study])
    folder = GOLDEN / study
    if os.environ.get("PRUNECXR_UPDATE_GOLDEN"):
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.txt"):
            path.unlink()
        for name, text in texts.items():
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    golden = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.txt")}
    assert set(texts) == set(golden)
    for name, text in texts.items():
        assert text == golden[name], name


def test_a_search_draws_what_its_trials_allow(tmp_path) -> None:
    absent = search.write_report(tmp_path, search_findings(1))
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"history.png", "history.svg"}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert [sentence for sentence in absent if sentence in page] == [
        "No figure of importances: 1 complete trial.",
        "No figure of values along each option: 1 complete trial.",
        "No figure of trials across all options: 1 complete trial.",
    ]


def test_a_search_shows_every_figure_with_its_words(tmp_path) -> None:
    findings = search_findings(4)
    assert search.write_report(tmp_path, findings) == []
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    figures = [section for section in search.SECTIONS if section.figure is not None]
    assert len(figures) == page.count("<figure ") == 4
    for section in figures:
        assert f'<img alt="{section.alt(findings)}"' in page
        assert section.caption(findings) in page
    assert "mean AP" not in page  # what is maximised has the words that it is given


@pytest.mark.parametrize(
    ("values", "own", "said"),
    [
        ([0.25, 0.5], 0, "The recipe's own options (trial 0, complete): 0.2500."),
        ([0.5, 0.25], 0, "They are the recipe's own."),
        ([None, 0.25], 0, "The recipe's own options (trial 0, failed) have no value."),
        ([0.5, 0.25], None, "learning_rate=0.001. The best of 2 trials"),
    ],
)
def test_the_best_options_stand_beside_the_recipes_own(values, own, said) -> None:
    findings = search_findings(len(values), values, own)
    answer = answer_of_search(findings)
    best = max((value, -trial) for trial, value in enumerate(values) if value is not None)
    assert answer.verdict == f"Those of trial {-best[1]}: validation IoU {best[0]:.4f}."
    assert said in answer.evidence


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        fill("form.html", reader=1)


def test_an_answer_reads_as_one_text() -> None:
    assert str(Answer("Why?", "Because.", "See the table.")) == "Because. See the table."
    assert str(Answer("Why?", "Because.")) == "Because."
