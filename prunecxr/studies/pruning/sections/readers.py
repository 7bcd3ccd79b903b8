"""What readers say of PIEs and other images (figure 6)."""

from __future__ import annotations

from matplotlib.figure import Figure

from prunecxr.report import reader_answers
from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import READERS

NO_READERS = (
    "Figure 6 shows what readers say of PIEs and other images; there are no answers yet. reader_export writes forms "
    "for them, reader_import takes their answers, and the next analysis shows them here."
)


def figure(findings: Findings) -> Figure:
    """Mean and standard deviation of the answers to each question."""
    assert findings.readers is not None
    return reader_answers.figure(findings.readers, findings.alpha)


def caption(findings: Findings) -> str:
    """Verdict and evidence of every question."""
    assert findings.readers is not None
    return " ".join([*reader_answers.sentences(findings.readers, findings.alpha), reader_answers.LEGEND])


SECTION: Section[Findings] = Section(
    name="readers",
    title="Readers' answers (figure 6)",
    part=READERS,
    figure=figure,
    caption=caption,
    alt=lambda _: reader_answers.ALT,
    wanted=lambda findings: findings.readers is not None,
    absent=lambda _: NO_READERS,
)
