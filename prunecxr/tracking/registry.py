"""The model registry: register, alias, load."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from prunecxr.errors import UserError
from prunecxr.tracking import names
from prunecxr.tracking.faults import first_line
from prunecxr.tracking.models import load_foreign as load_foreign
from prunecxr.tracking.models import load_network as load_network
from prunecxr.tracking.models import load_settings as load_settings
from prunecxr.tracking.models import log_model as log_model
from prunecxr.tracking.models import precision_of as precision_of
from prunecxr.tracking.predictors import MaskSettings as MaskSettings
from prunecxr.tracking.predictors import Settings as Settings
from prunecxr.tracking.run import TrackedRun
from prunecxr.tracking.store import Store

OURS = "prunecxr-"  # how the names of our registered models begin

_logger = logging.getLogger(__name__)


def model_of(run: TrackedRun) -> str:
    """The registered model that a run's network belongs to: one a study and architecture, so that no two studies share
    an alias.
    """
    return names.model_name(run.tags[names.STUDY], run.tags[names.ARCHITECTURE])


def register(run: TrackedRun, uri: str, model_name: str, alias: str, tags: Mapping[str, str]) -> str:
    """Make a stored model a version of a registered one, with tags and an alias. A registered one is found.

    An alias keeps its network: it is set where it is free, and goes over to another version of the same run alone
    (the same network in another precision), which is said. One that names another run's network stays, which is said,
    too. What an earlier version registered under the data set's name is left there as it is.

    Returns:
        its URI, by version: `models:/<name>/<version>`.
    """
    client = run.store._client
    version = next((one for one in _versions(run.store, run.id, model_name) if one.source == uri), None)
    if version is None:
        _create_model(run.store, model_name)
        labels = {**tags, "precision": precision_of(run, uri)}
        version = client.create_model_version(
            model_name, uri, run_id=run.id, tags=labels, model_id=uri.removeprefix("models:/")
        )
    if version.name == model_name:
        for tag, value in tags.items():
            if version.tags.get(tag) != value:
                client.set_model_version_tag(model_name, version.version, tag, value)
        _point(run.store, alias, version)
    return f"models:/{version.name}/{version.version}"


def _create_model(store: Store, model_name: str) -> None:
    try:
        store._client.create_registered_model(model_name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _point(store: Store, alias: str, version: ModelVersion) -> None:
    """Let an alias name a version, unless it names another run's network."""
    holder = _holder(store, version.name, alias)
    if holder is not None and holder.version == version.version:
        return
    if holder is not None and holder.run_id != version.run_id:
        _logger.warning(
            "alias %s of model %s stays with version %s, of run %s; the network of run %s is models:/%s/%s",
            alias, version.name, holder.version, holder.run_id, version.run_id, version.name, version.version,
        )  # fmt: skip
        return
    store._client.set_registered_model_alias(version.name, alias, version.version)
    if holder is not None:
        _logger.warning(
            "alias %s of model %s now names version %s (%s) of the same network, before %s (%s)",
            alias, version.name, version.version, _precision(version), holder.version, _precision(holder),
        )  # fmt: skip


def _holder(store: Store, model_name: str, alias: str) -> ModelVersion | None:
    """The version that an alias names."""
    try:
        return store._client.get_model_version_by_alias(model_name, alias)
    except MlflowException:
        return None


def _versions(store: Store, run_id: str, model_name: str) -> list[ModelVersion]:
    """The versions that came from a run, newest first: those of the model, then those that earlier versions of this
    tool registered under another name.
    """
    client = store._client
    found = [one for one in client.search_model_versions(f"run_id = '{run_id}'") if one.name.startswith(OURS)]
    found.sort(key=lambda one: (one.name != model_name, -int(one.version)))
    return [client.get_model_version(one.name, one.version) for one in found]  # a search tells no aliases


def _precision(version: ModelVersion) -> str:
    return str(version.tags.get("precision", "fp32"))


def tag_version(run: TrackedRun, model_name: str, tags: Mapping[str, str]) -> None:
    """Add tags to the versions that came from a run, if there are any."""
    for version in _versions(run.store, run.id, model_name):
        for tag, value in tags.items():
            if version.tags.get(tag) != value:
                run.store._client.set_model_version_tag(version.name, version.version, tag, value)


def model_link(store: Store, model_name: str, alias: str, run_id: str, precision: str | None = None) -> str:
    """How to load the version that came from a run: by alias if it has that, else by number; empty without one.

    Args:
        precision: in which its weights are kept; None: any.
    """
    versions = [one for one in _versions(store, run_id, model_name) if precision in (None, _precision(one))]
    version = next((one for one in versions if alias in one.aliases), next(iter(versions), None))
    if version is None:
        return ""
    if alias in version.aliases:
        return f"models:/{version.name}@{alias}"
    if version.name == model_name and _holder(store, model_name, alias) is None:  # killed between the two steps
        store._client.set_registered_model_alias(model_name, alias, version.version)
        return f"models:/{model_name}@{alias}"
    return f"models:/{version.name}/{version.version}"


def run_of_model(store: Store, uri: str) -> str:
    """Id of the run that a registered model came from; empty if it came from none.

    Args:
        uri: `models:/<name>/<version>`, `models:/<name>@<alias>`, or `models:/m-...` as in the tag `prunecxr.model`.
    Raises:
        UserError: no such model.
    """
    name, at, alias = uri.removeprefix("models:/").partition("@")
    if not uri.startswith("models:/") or not (at or "/" in name or name.startswith("m-")):
        raise UserError(f"option model: {uri[:200]!r} is neither models:/<name>@<alias> nor models:/<name>/<version>")
    try:
        if name.startswith("m-") and "/" not in name:
            return str(store._client.get_logged_model(name).source_run_id or "")
        if at:
            version = store._client.get_model_version_by_alias(name, alias)
        else:
            name, _, number = name.rpartition("/")
            version = store._client.get_model_version(name, number)
    except MlflowException as error:
        raise UserError(f"option model: {uri}: {first_line(error)}") from None
    return str(version.run_id or "")
