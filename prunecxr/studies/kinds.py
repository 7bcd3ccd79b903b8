"""The kinds of study: where the parts of one are found by name, so that no study imports another."""

from __future__ import annotations

import importlib
from typing import Any

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


def load(address: str) -> Any:
    """What stands at `package.module` or `package.module:name`."""
    module, _, name = address.partition(":")
    loaded = importlib.import_module(module)
    return getattr(loaded, name) if name else loaded


def configuration(kind: str) -> Any:
    """The class of a kind's configuration."""
    return load(KINDS[kind])
