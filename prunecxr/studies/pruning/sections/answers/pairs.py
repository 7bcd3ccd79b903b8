"""Whether classes that occur together are forgotten alike."""

from __future__ import annotations

from prunecxr.report.section import Answer
from prunecxr.studies.pruning.analysis.pair_tests import OVERLAP, OVERLAP_GIVEN_FREQUENCY, PARTIAL_RHO
from prunecxr.studies.pruning.analysis.pair_verdicts import cooccurring_alike
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.pair_question import PairQuestion

QUESTION = PairQuestion(
    name="cooccurring_alike",
    question="Are classes that occur together forgotten alike?",
    x=OVERLAP_GIVEN_FREQUENCY,
    statistic=PARTIAL_RHO,
    marginal=OVERLAP,
    state=cooccurring_alike,
    alike=-1,
    held="at equal difference in frequency",
    more="the more two classes occur together",
    thing="co-occurrence",
)


def answer(findings: Findings) -> Answer | None:
    """How dissimilarity of curves goes with co-occurrence at equal difference in frequency; None without pairs."""
    return QUESTION.answer(findings)
