"""How comparisons of groups are put into words."""

from __future__ import annotations

import pandas as pd

from prunecxr.studies.pruning.sections.findings import Findings

MEASURES = {"ap_ref": "AP at reference prevalence", "auroc": "AUROC", "sensitivity": "sensitivity"}


def asked(findings: Findings) -> pd.DataFrame:
    """The comparisons at the highest sparsity that there are any of."""
    table = findings.tables["subgroups"]
    return table[table["sparsity"] == table["sparsity"].max()]
