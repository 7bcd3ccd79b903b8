"""What the report of a search is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState


@dataclass(frozen=True)
class SearchFindings:
    """Everything that the page shows.

    Attributes:
        study: name of the study that is searched for.
        trials: in memory, numbered as users count: what Optuna's figures are drawn from.
        tables: `trials`, as from :func:`prunecxr.studies.search.ledger.table`.
        target: what is maximised, in words.
        warnings: sentences about trials that failed.
        provenance: label -> text, in order.
    """

    study: str
    trials: optuna.Study
    tables: Mapping[str, pd.DataFrame]
    target: str
    warnings: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> list[FrozenTrial]:
        """The trials that ended with a value."""
        return self.trials.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    @property
    def options(self) -> list[str]:
        """Names of the options that the complete trials set."""
        return sorted({name for trial in self.complete for name in trial.params})
