"""Names of registries, read from their source: they must be those that the import gives."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from prunecxr.options import registries, sections
from prunecxr.options.registries import alternatives, names_in
from prunecxr.studies.localization import config

ROOT = Path(__file__).parents[2]
ALL = [sections.DATASETS, sections.LOSSES, sections.CRITERIA, sections.SCOPES, config.LESION_DATASETS]


@pytest.mark.parametrize("registry", ALL)
def test_the_source_says_what_the_import_gives(registry):
    module, _, name = registry.partition(":")
    expected = tuple(getattr(importlib.import_module(module), name))
    assert registries._keys_of(module, name) == names_in(registry) == expected


def test_a_new_entry_is_admitted_and_listed(monkeypatch):
    from prunecxr.learning.losses import LOSSES

    monkeypatch.setitem(LOSSES, "hinge", LOSSES["bce"])
    assert sections.TrainingOptions(loss="hinge").loss == "hinge"
    monkeypatch.delitem(LOSSES, "hinge")
    with pytest.raises(ValueError, match="there is none of that name"):
        sections.TrainingOptions(loss="hinge")


def test_the_names_are_read_without_what_the_functions_need():
    code = (
        "import sys\n"
        "from prunecxr.options.registries import names_in\n"
        f"print([names_in(one) for one in {ALL!r}] and 'torch' not in sys.modules and 'pandas' not in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "True"


def test_a_registry_that_is_not_there():
    with pytest.raises(LookupError, match="prunecxr.errors spells out no dict NAMES"):
        names_in("prunecxr.errors:NAMES")


@pytest.mark.parametrize(("names", "text"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_alternatives(names, text):
    assert alternatives(names) == text
