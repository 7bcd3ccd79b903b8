"""Whether classes of similar frequency are forgotten alike."""

from __future__ import annotations

from prunecxr.report.section import Answer
from prunecxr.studies.pruning.analysis.pair_tests import FREQUENCY, RHO
from prunecxr.studies.pruning.analysis.pair_verdicts import alike_by_frequency
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.pair_question import PairQuestion

QUESTION = PairQuestion(
    name="alike_by_frequency",
    question="Are classes of similar frequency forgotten alike?",
    x=FREQUENCY,
    statistic=RHO,
    marginal=FREQUENCY,
    state=alike_by_frequency,
    alike=1,
    held="with nothing held equal",
    more="the closer two classes are in frequency",
    thing="similar frequency",
)


def answer(findings: Findings) -> Answer | None:
    """How dissimilarity of curves goes with difference in frequency; None without pairs."""
    return QUESTION.answer(findings)
