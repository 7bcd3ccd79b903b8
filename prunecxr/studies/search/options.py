"""The options of `tune` alone, beside those of the recipe."""

from __future__ import annotations

from pydantic import Field

from prunecxr.options.sections import Section


class TuneOptions(Section):
    """How much is searched, by whom, and where the trials are kept."""

    trials: int = Field(
        40, ge=1, le=100_000, description="trials of the whole search, all commands together; default 40"
    )
    workers: int = Field(1, ge=1, le=256, description="processes of this host that search at the same time; default 1")
    timeout: float | None = Field(None, gt=0, description="seconds after which no further trial starts; default none")
    storage: str | None = Field(
        None, description="URL of a database that several hosts share; default a file in workdir"
    )
