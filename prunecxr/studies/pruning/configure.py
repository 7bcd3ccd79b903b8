"""Where a command's options come from: its flags, over a recipe, over the defaults."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, overload

from prunecxr.errors import EnvironmentFault
from prunecxr.options.recipe import build_config, read_recipe
from prunecxr.options.sections import Chosen, Section
from prunecxr.studies.pruning.config import Config

if TYPE_CHECKING:
    from prunecxr.tracking.runs import TrackedRun

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
DEFAULT_RECIPE = RECIPES / "demo.yaml"
DEFAULT_TUNE_RECIPE = RECIPES / "tune-demo.yaml"
DEFAULT_HTL_RECIPE = RECIPES / "htl-demo.yaml"


@overload
def configure(given: dict[str, str]) -> Config: ...
@overload
def configure(given: dict[str, str], model: type[Chosen], default: Path) -> Chosen: ...
def configure(given: dict[str, str], model: type[Section] = Config, default: Path = DEFAULT_RECIPE) -> Section:
    """The configuration of a command that starts something: flags over the recipe file (default: the demo's)."""
    given = dict(given)
    path = Path(given.pop("recipe", "") or default)
    return build_config(model, read_recipe(path), given, f"recipe {path.name}")


def configure_from_run(run: TrackedRun | None, given: dict[str, str]) -> Config:
    """The configuration of a command that continues something: flags over a recipe file, or over the run's recipe."""
    given = dict(given)
    recipe = given.pop("recipe", "")
    if recipe:
        return build_config(Config, read_recipe(Path(recipe)), given, f"recipe {Path(recipe).name}")
    return build_config(Config, _logged_recipe(run) if run else {}, given, "recipe of the run")


def _logged_recipe(run: TrackedRun) -> dict[str, Any]:
    from prunecxr.tracking import names
    from prunecxr.tracking.query import fetch

    with TemporaryDirectory(prefix="prunecxr-") as folder:
        try:
            return read_recipe(fetch(run.store, run.id, names.RECIPE, Path(folder)))
        except EnvironmentFault:
            return {}  # a study that was imported has no recipe
