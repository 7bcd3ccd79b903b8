"""The kinds of study: where the parts of one are found by name, so that no study imports another."""

from __future__ import annotations

# Configuration, which a recipe of that kind fills.
KINDS = {
    "pruning": "prunecxr.studies.pruning.config:Config",
    "localization": "prunecxr.studies.localization.config:HtlConfig",
}
# The module of a kind's commands.
COMMANDS = {
    "pruning": "prunecxr.studies.pruning.study",
    "localization": "prunecxr.studies.localization.study",
}
# What a search for hyper-parameters knows of it: see `prunecxr.studies.search.subject`.
SUBJECTS = {
    "pruning": "prunecxr.studies.pruning.searched:SUBJECT",
    "localization": "prunecxr.studies.localization.searched:SUBJECT",
}
