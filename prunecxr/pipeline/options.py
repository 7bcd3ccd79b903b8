"""Where a command's options come from: its flags, over a recipe, over the defaults."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from prunecxr.config import Config, build_config, read_recipe
from prunecxr.errors import EnvironmentFault

if TYPE_CHECKING:
    from prunecxr.tracking.runs import TrackedRun

DEFAULT_RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "demo.yaml"


def configure(given: dict[str, str]) -> Config:
    """The configuration of a command that starts something: flags over the recipe file (default: the demo's)."""
    given = dict(given)
    path = Path(given.pop("recipe", "") or DEFAULT_RECIPE)
    return build_config(read_recipe(path), given, f"recipe {path.name}")


def configure_from_run(run: TrackedRun | None, given: dict[str, str]) -> Config:
    """The configuration of a command that continues something: flags over a recipe file, or over the run's recipe."""
    given = dict(given)
    recipe = given.pop("recipe", "")
    if recipe:
        return build_config(read_recipe(Path(recipe)), given, f"recipe {Path(recipe).name}")
    return build_config(_logged_recipe(run) if run else {}, given, "recipe of the run")


def _logged_recipe(run: TrackedRun) -> dict[str, Any]:
    from prunecxr.tracking import names
    from prunecxr.tracking.query import fetch

    with TemporaryDirectory(prefix="prunecxr-") as folder:
        try:
            return read_recipe(fetch(run.store, run.id, names.RECIPE, Path(folder)))
        except EnvironmentFault:
            return {}  # a study that was imported has no recipe
