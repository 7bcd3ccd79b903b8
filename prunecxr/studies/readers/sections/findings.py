"""What the report of a reader study is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class ReaderFindings:
    """Everything that the page shows.

    Attributes:
        study: name of the study.
        tables: `reader_summary`, as from :func:`prunecxr.studies.readers.analysis.summary`; `reader_answers`, which is
            a file alone.
        warnings: sentences about what is missing.
        provenance: label -> text, in order.
        alpha: level of the tests.
    """

    study: str
    tables: Mapping[str, pd.DataFrame]
    warnings: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    alpha: float = 0.05

    @property
    def summary(self) -> pd.DataFrame:
        """One row per question."""
        return self.tables["reader_summary"]
