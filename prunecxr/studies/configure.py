"""Where a command's options come from: its flags, over a recipe, over the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.options.declaration import Declaration, load_model
from prunecxr.options.recipe import build_config, kind_of, read_recipe
from prunecxr.options.sections import Chosen, Section
from prunecxr.studies.kinds import KINDS

if TYPE_CHECKING:
    from prunecxr.tracking.runs import TrackedRun

PROJECT = Path(__file__).resolve().parents[2]


def configure(given: Mapping[str, str], declaration: Declaration[Any]) -> Section:
    """The configuration of a command that starts something: flags over the recipe file, or the entry point's own.

    Args:
        given: texts of the options and of `recipe`, as `parse` returns them.
    Returns:
        That of the recipe's kind of study: a `Config` or an `HtlConfig`.
    Raises:
        UserError: anything wrong with them, or a recipe of a kind that the entry point does not work on.
    """
    texts = dict(given)
    recipe = texts.pop("recipe", "") or declaration.recipe or ""
    path = PROJECT / recipe if recipe == declaration.recipe else Path(recipe)
    content, source = read_recipe(path), f"recipe {path.name}"
    kind = recipe_kind(content, source, *declaration.works_on)
    if kind not in declaration.works_on:
        takes = " or ".join(declaration.works_on)
        raise UserError(f"{source}: describes a {kind} study; {declaration.name} takes a {takes} study")
    return build_config(load_model(KINDS[kind]), content, texts, source)


def configure_from_run(run: TrackedRun | None, given: Mapping[str, str], model: type[Chosen]) -> Chosen:
    """The configuration of a command that continues something: flags over a recipe file, or over the run's recipe.

    Args:
        model: the configuration of the kind of study that is continued.
    Raises:
        UserError: anything wrong with them, or a recipe of another kind.
    """
    texts = dict(given)
    recipe = texts.pop("recipe", "")
    content = read_recipe(Path(recipe)) if recipe else logged_recipe(run)
    source = f"recipe {Path(recipe).name}" if recipe else "recipe of the run"
    kind = recipe_kind(content, source, model.kind)
    if kind != model.kind:
        raise UserError(f"{source}: describes a {kind} study; a {model.kind} study is asked for")
    return build_config(model, content, texts, source, logged=not recipe)


def recipe_kind(content: Mapping[str, Any], source: str, *likely: str) -> str:
    """The kind of study that a recipe describes, a name in `KINDS`; what fits several is of the first likely one."""
    ordered = [*likely, *(kind for kind in KINDS if kind not in likely)]
    return kind_of(content, {kind: load_model(KINDS[kind]) for kind in ordered}, source)


def logged_recipe(run: TrackedRun | None) -> dict[str, Any]:
    """The recipe that was logged with a run; empty where there is none, as in studies that were imported."""
    if run is None:
        return {}
    from prunecxr.tracking import names
    from prunecxr.tracking.artifacts import fetch

    with TemporaryDirectory(prefix="prunecxr-") as folder:
        try:
            return read_recipe(fetch(run, names.RECIPE, Path(folder)))
        except EnvironmentFault:
            return {}
