"""Who may import whom: the contracts of pyproject.toml, and what holds for every file, a new one too."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "prunecxr"
FILES = sorted(PACKAGE.rglob("*.py"))
LINES, PARAMETERS = 350, 8


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def imported_by(path: Path) -> set[str]:
    """The modules that a file names in imports that run, wherever they stand."""
    named: set[str] = set()
    unused = {
        id(node)
        for block in ast.walk(tree(path))
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree(path)):
        if id(node) in unused:
            continue
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= (inner & set(MODULES)) or {node.module}
    return named


def test_the_contracts_of_the_project_hold(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0, capsys.readouterr().out


def test_no_modules_import_each_other():
    graph = {name: imported_by(path) & set(MODULES) - {name} for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_only_tracking_knows_mlflow_by_import_and_by_object():
    for path in FILES:
        if path.is_relative_to(PACKAGE / "tracking"):
            continue
        assert not any(name.split(".")[0] == "mlflow" for name in imported_by(path)), path
        attributes = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
        assert not attributes & {"client", "_client"}, path


def test_no_study_imports_another():
    studies = {folder.name for folder in (PACKAGE / "studies").iterdir() if (folder / "__init__.py").exists()}
    for study in studies:
        for path in (PACKAGE / "studies" / study).rglob("*.py"):
            named = {name.split(".")[2] for name in imported_by(path) if name.startswith("prunecxr.studies.")}
            assert not named & (studies - {study}), path


def test_modules_and_signatures_stay_small():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES, path
        for node in ast.walk(tree(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                named = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                taken = [name for name in named if name not in ("self", "cls")]
                assert len(taken) <= PARAMETERS, f"{path}: {node.name}"


def test_packages_load_nothing_by_themselves():
    for path in FILES:
        if path.name == "__init__.py":
            assert imported_by(path) <= {"__future__"}, path


@functools.cache
def loaded_by(module: str) -> frozenset[str]:
    """Top-level packages that importing a module brings along."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return frozenset(answer.stdout.split())


@pytest.mark.parametrize(
    "module", ["studies.pruning.findings", "studies.localization.findings", "studies.readers.forms"]
)
def test_an_analysis_loads_no_torch(module):
    assert not loaded_by(f"prunecxr.{module}") & {"torch", "torchvision"}


@pytest.mark.parametrize(
    "module", ["evaluation.metrics", "data.labels", "studies.pruning.keys", "studies.localization.keys"]
)
def test_what_reads_and_scores_loads_no_torch_and_no_mlflow(module):
    assert not loaded_by(f"prunecxr.{module}") & {"torch", "torchvision", "mlflow"}


def test_recipes_are_read_without_optuna():
    assert "optuna" not in loaded_by("prunecxr.studies.pruning.config")


def test_the_package_and_the_entry_points_are_light():
    code = "; ".join(f"import entrypoints.{path.stem}" for path in (ROOT / "entrypoints").glob("[a-z]*.py"))
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys, prunecxr; {code}; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not set(answer.stdout.split()) & {"torch", "mlflow", "pandas", "matplotlib"}
    for path in (ROOT / "entrypoints").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
