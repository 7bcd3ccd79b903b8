"""What one seed of a localization study left on the tracking server: the runs by what they are. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from prunecxr.tracking import query
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store


@dataclass(frozen=True)
class SeedRuns:
    """The runs of one seed.

    Attributes:
        run: the seed's own, with its plain network.
        pruned: (method, pruned share) -> run; share 0 is the plain network.
        mining: method -> run with the table of HTLs.
        networks: approach -> run of a network that was trained or fine-tuned further.
        skipped: sentences about what could not be done.
    """

    seed: int
    run: TrackedRun
    pruned: dict[tuple[str, float], TrackedRun]
    mining: dict[str, TrackedRun]
    networks: dict[str, TrackedRun]
    skipped: tuple[str, ...] = field(default=())

    def ids(self) -> list[str]:
        """Ids of all runs, sorted."""
        every = (self.run, *self.pruned.values(), *self.mining.values(), *self.networks.values())
        return sorted(run.id for run in every)


def read_table(store: Store, run: TrackedRun, name: str) -> pd.DataFrame:
    """A table that was logged with a run."""
    with TemporaryDirectory(prefix="prunecxr-") as folder:
        path = query.fetch(store, run.id, name, Path(folder))
        if path.suffix != ".csv":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype={"id": str}, keep_default_na=False, na_values=[""])
