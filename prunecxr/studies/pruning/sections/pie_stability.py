"""How much of the PIEs resampled seeds find again."""

from __future__ import annotations

import pandas as pd

from prunecxr.report.section import Section
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import table_of

QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)


def quantiles(table: pd.DataFrame) -> pd.DataFrame:
    """Of the Jaccard index, over resamples."""
    return pd.DataFrame({"quantile": QUANTILES, "jaccard": table["jaccard"].quantile(list(QUANTILES)).to_numpy()})


SECTION: Section[Findings] = Section(
    name="pie_stability",
    title="PIEs of seeds drawn anew",
    table=table_of("pie_stability", quantiles),
    note="Jaccard index of the PIEs of resampled seeds with those of all seeds: quantiles over resamples.",
)
