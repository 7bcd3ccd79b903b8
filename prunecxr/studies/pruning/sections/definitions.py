"""The two definitions of what is compared of a pair of classes: those of the sentences come first, then the other."""

from __future__ import annotations

from dataclasses import dataclass

from prunecxr.studies.pruning.sections.findings import Findings

AXES_OF_PAIRS = {
    "log_freq_diff": "difference in log test frequency, |LogFreqDiff|",
    "iou_fourth_root": "co-occurrence, IoU$^{1/4}$",
}
IN_WORDS = {
    "paper": "'paper', as the text of the paper defines them: FCD is the mean squared difference of two forgettability "
    "curves over the sparsities above 0, frequency the number of test images, IoU images with both labels over images "
    "with either",
    "published": "'published', as the paper's printed numbers were computed: FCD is the Euclidean distance of two "
    "forgettability curves over the sparsities above 0, frequency the row sum of the co-occurrence matrix, IoU "
    "co-occurrences over the sum of the two row sums less co-occurrences",
}


@dataclass(frozen=True)
class Definition:
    """A definition that figures are drawn in.

    Attributes:
        name: `paper` or `published`, where it is not that of the sentences; empty for that one.
    """

    name: str = ""

    @property
    def suffix(self) -> str:
        """Of the names of files."""
        return f"_{self.name}" if self.name else ""

    def title_of(self, title: str) -> str:
        """A title that says which definition it is, where it is not that of the sentences."""
        return f"{title}, definition '{self.name}'" if self.name else title

    def of(self, findings: Findings) -> str:
        """Its name in the tables."""
        return self.name or findings.definition

    def wanted(self, findings: Findings) -> bool:
        """Whether the findings have it, and no other figure shows it."""
        return not self.name or self.name in findings.definitions[1:]


DEFINITIONS = (Definition(), *(Definition(name) for name in reversed(IN_WORDS)))
