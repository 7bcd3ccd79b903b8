"""The options of `tune` alone, beside those of the recipe."""

from __future__ import annotations

from pydantic import Field

from prunecxr.options.sections import Section
from prunecxr.options.types import Real, Whole


class TuneOptions(Section):
    """How much is searched, by whom, and where the trials are kept."""

    trials: Whole = Field(40, ge=1, le=100_000, description="trials of the whole search, all commands together")
    workers: Whole = Field(1, ge=1, le=256, description="processes of this host that search at the same time")
    timeout: Real | None = Field(None, gt=0, description="seconds after which no further trial starts; default none")
    storage: str | None = Field(
        None,
        description="URL of a database that several hosts share, better without its password (in ~/.pgpass); default a "
        "file in workdir",
    )
