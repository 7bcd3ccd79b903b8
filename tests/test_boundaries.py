"""Who may import whom: each part is imported in a process of its own, and what came with it is looked at."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@functools.cache
def loaded_by(module: str) -> frozenset[str]:
    """Top-level packages, and parts of prunecxr, that importing a module brings along."""
    code = f"import sys, {module}; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names = answer.stdout.split()
    return frozenset(name if name.startswith("prunecxr.") else name.split(".")[0] for name in names)


NO_TORCH = [
    "studies.pruning.config", "studies.pruning.keys", "options.recipe", "data.tables", "data.labels", "data.splits", "data.folders", "data.datasets", "data.cache", "data.phantom",
    "data.predictions", "data.imported", "evaluation.metrics", "compression.methods", "studies.localization.scores", "studies.localization.mining",
    "studies.localization.boxes", "studies.localization.lesions.listed", "studies.localization.lesions.additions", "studies.localization.lesions.pixels",
    "studies.localization.lesions.phantom", "studies.localization.config", "studies.localization.keys", "studies.localization.gallery",
]  # fmt: skip


@pytest.mark.parametrize(
    "module",
    [
        *NO_TORCH,
        "studies.pruning.findings",
        "studies.pruning.analyze",
        "studies.pruning.check",
        "studies.readers.forms",
        "studies.localization.findings",
    ],
)
def test_no_torch(module):
    assert not loaded_by(f"prunecxr.{module}") & {"torch", "torchvision"}


@pytest.mark.parametrize(
    "module",
    [
        "studies.pruning.analysis.study",
        "report.writing",
        "studies.pruning.sections.catalogue",
        "studies.readers.analysis",
        "studies.readers.sections.catalogue",
        "studies.localization.analysis.study",
        "studies.localization.sections.catalogue",
    ],
)
def test_analysis_and_report_know_neither_torch_nor_mlflow(module):
    found = loaded_by(f"prunecxr.{module}")
    assert not found & {"torch", "mlflow"}
    assert not any(name.startswith(("prunecxr.tracking", "prunecxr.data")) for name in found)


@pytest.mark.parametrize(
    "module",
    [
        *NO_TORCH,
        "networks.families",
        "learning.classification",
        "compression.packing",
        "evaluation.predict",
        "data.batches",
    ],
)
def test_only_tracking_knows_mlflow(module):
    assert "mlflow" not in loaded_by(f"prunecxr.{module}")


@pytest.mark.parametrize(
    "module",
    ["studies.search.turns", "studies.search.sampling", "studies.search.ledger", "studies.search.sections.catalogue"],
)
def test_a_search_knows_neither_training_nor_tracking(module):
    found = loaded_by(f"prunecxr.{module}")
    assert not found & {"torch", "mlflow"}
    assert not any(name.startswith(("prunecxr.tracking", "prunecxr.data")) for name in found)


def test_recipes_are_read_without_optuna():
    assert "optuna" not in loaded_by("prunecxr.studies.pruning.config")


def test_a_seed_knows_no_analysis_and_an_analysis_no_training():
    seed, analysis = loaded_by("prunecxr.studies.pruning.population"), loaded_by("prunecxr.studies.pruning.findings")
    assert not any(name.startswith(("prunecxr.analysis", "prunecxr.report")) for name in seed)
    training = ("prunecxr.learning.classification", "prunecxr.compression.oneshot", "prunecxr.compression.masks")
    assert not any(name.startswith(training) for name in analysis)


def test_tracking_knows_no_analysis():
    for module in ("query", "runs", "store", "registry"):
        found = loaded_by(f"prunecxr.tracking.{module}")
        assert not any(name.startswith(("prunecxr.analysis", "prunecxr.report", "prunecxr.studies")) for name in found)


def test_mlflow_is_named_in_tracking_alone():
    for path in (ROOT / "prunecxr").rglob("*.py"):
        if "tracking" not in path.parts:
            lines = path.read_text(encoding="utf-8").splitlines()
            assert not any(line.strip().startswith(("import mlflow", "from mlflow")) for line in lines), path


def test_the_package_and_the_entry_points_are_light():
    for module in ("prunecxr", *(f"entrypoints.{path.stem}" for path in (ROOT / "entrypoints").glob("[a-z]*.py"))):
        assert not loaded_by(module) & {"torch", "mlflow", "pandas", "matplotlib"}, module
    for path in (ROOT / "entrypoints").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
