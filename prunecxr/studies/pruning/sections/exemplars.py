"""What the elements about PIEs have in common: the measure in use, the verdict, where they were looked for."""

from __future__ import annotations

import numpy as np

from prunecxr.report.wording import sparsity
from prunecxr.studies.pruning.analysis.agreement import AGREEMENT, measure_named
from prunecxr.studies.pruning.analysis.exemplar_verdict import Enrichment, pies_enriched
from prunecxr.studies.pruning.sections.findings import Findings


def measure(findings: Findings) -> str:
    """The measure of agreement in use."""
    table = findings.tables["pie_measures"]
    return str(table.loc[table["used"], "measure"].iloc[0])


def enrichment(findings: Findings) -> Enrichment:
    """Which classes PIEs have more often; without a sparsity to ask at, all are collapsed."""
    return pies_enriched(findings.tables, collapsed=bool(np.isnan(findings.pie_sparsity)))


def at_sparsity(findings: Findings) -> str:
    """' at 90% sparsity'."""
    return "" if np.isnan(findings.pie_sparsity) else f" at {sparsity(findings.pie_sparsity)} sparsity"


def pruned_models(findings: Findings) -> str:
    """'90% sparse models'."""
    return "pruned models" if np.isnan(findings.pie_sparsity) else f"{sparsity(findings.pie_sparsity)} sparse models"


def methods(findings: Findings) -> list[str]:
    """How PIEs are found and judged: paragraphs of plain text; none without PIEs."""
    if "pie_measures" not in findings.tables:
        return []
    used = measure(findings)
    others = "; ".join(f"{name}: {AGREEMENT[name].words}" for name in AGREEMENT if name != used)
    together = f"{100 * (1 - findings.alpha):g}%"
    return [
        "Pruning-identified exemplars are the images on which the mean predictions of dense and of "
        f"{pruned_models(findings)} agree least, by {used}: {measure_named(used).words}. The same seeds stand on both "
        "sides, in the set, its controls and the gallery. The intervals of ratios are 95% percentile intervals of a "
        "bootstrap over patients; what is said of one class among many rests on simultaneous ones, which in "
        f"{together} of the resamples cover all classes at once. Other measures: {others}. In modal, images that "
        "disagree are ordered by how much likelier each population holds its own first class than the other's.",
        "Any two populations disagree on some images, and rather on hard ones. The control therefore parts the seeds "
        "in two, again and again: dense networks of one part against pruned ones of the other, beside dense networks "
        "of the same parts. Equally many networks are averaged, and no two of one seed meet. The excess is the ratio "
        "of the first over that of the second, geometric means over the partings, with half an image added to every "
        "count; fresh dense networks in place of the pruned ones would give 1. Its interval covers patients (drawn "
        "with replacement) and seeds (what differs between partings beyond what the images explain, with Student's t).",
    ]
