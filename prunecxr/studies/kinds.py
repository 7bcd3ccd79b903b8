"""The kinds of study: name -> where the configuration of one is, which a recipe of that kind fills."""

from __future__ import annotations

KINDS = {
    "pruning": "prunecxr.studies.pruning.config:Config",
    "localization": "prunecxr.studies.localization.config:HtlConfig",
}
