"""Pairs of classes: every test by permutation of the classes."""

from __future__ import annotations

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

SECTION: Section[Findings] = Section(
    name="pair_tests",
    title="Pairs of classes: tests by permutation of the classes",
    table=table_of("pair_tests"),
    note="Pairs that share a class are not independent, so the classes are permuted. Of FCD on each scale: ρ and r "
    "with |LogFreqDiff| and IoU^¼ (Mantel test); partial ρ and r with either where the other is held equal (partial "
    "Mantel test); coefficients of the regression on both and their product (QAP). The latter two permute what the "
    "other predictors leave of one (double semi-partialling, Dekker et al. 2007). stratified_p: classes change places "
    "with those of similar frequency alone. naive_p: two-sided t-test that takes pairs as independent, as the paper "
    "does; null_low, null_high: 95% of the permutations lie between them; n: pairs.",
)
