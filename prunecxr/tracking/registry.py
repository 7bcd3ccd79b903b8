"""The model registry: register, alias, load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.artifacts
import mlflow.pytorch
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from torch import nn

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.networks.checkpoints import LOAD_ERRORS
from prunecxr.tracking import flavor, mask_flavor, names
from prunecxr.tracking.flavor import Settings
from prunecxr.tracking.mask_flavor import MaskSettings
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store


def log_model(run: TrackedRun, model: nn.Module, settings: Settings | MaskSettings, name: str) -> str:
    """Store the network with a run; its URI is returned and noted on the run. A stored one is found.

    Args:
        settings: what is kept beside the weights; it decides for the flavor.
    """
    if names.MODEL in run.tags:
        return run.tags[names.MODEL]
    how = flavor if isinstance(settings, Settings) else mask_flavor
    info = Model.log(artifact_path=None, flavor=how, run_id=run.id, name=name, model=model, settings=settings)
    run.log(tags={names.MODEL: info.model_uri})
    return str(info.model_uri)


def model_of(run: TrackedRun) -> str:
    """The registered model that a run's network belongs to."""
    return names.model_name(run.tags[names.DATASET], run.tags[names.ARCHITECTURE])


def register(run: TrackedRun, uri: str, model_name: str, alias: str, tags: Mapping[str, str]) -> str:
    """Make a stored model a version of a registered one, with tags and an alias. A registered one is found.

    Returns:
        its URI, by version: `models:/<name>/<version>`.
    """
    client = run.store._client
    version = find_version(run.store, model_name, run.id)
    if version is None:
        try:
            client.create_registered_model(model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = client.create_model_version(
            model_name, uri, run_id=run.id, tags=dict(tags), model_id=uri.removeprefix("models:/")
        )
    for tag, value in tags.items():
        if version.tags.get(tag) != value:
            client.set_model_version_tag(model_name, version.version, tag, value)
    if alias not in version.aliases:
        client.set_registered_model_alias(model_name, alias, version.version)
    return f"models:/{model_name}/{version.version}"


def find_version(store: Store, model_name: str, run_id: str) -> ModelVersion | None:
    """The registered version that came from a run, or None."""
    found = store._client.search_model_versions(f"name = '{model_name}' and run_id = '{run_id}'")
    return store._client.get_model_version(model_name, found[0].version) if found else None


def tag_version(run: TrackedRun, model_name: str, tags: Mapping[str, str]) -> None:
    """Add tags to the version that came from a run, if there is one."""
    version = find_version(run.store, model_name, run.id)
    if version is None:
        return
    for tag, value in tags.items():
        run.store._client.set_model_version_tag(model_name, version.version, tag, value)


def load_network(uri: str) -> nn.Module:
    """The plain network behind a model URI, on the CPU, in eval mode.

    Raises:
        EnvironmentFault: its files are gone or damaged.
    """
    try:
        return mlflow.pytorch.load_model(uri, map_location="cpu")
    except (MlflowException, *LOAD_ERRORS) as error:
        raise EnvironmentFault(
            f"model {uri} cannot be loaded ({str(error).splitlines()[0]}): its files are gone or damaged; restore "
            "them, or delete the run that it belongs to and repeat the command that made it"
        ) from None


def load_foreign(uri: str) -> nn.Module:
    """A PyTorch module that another program logged, on the CPU, in eval mode. Its pickle may run code: it is trusted.

    Raises:
        UserError: no PyTorch model, or one that needs code that is not here.
    """
    try:
        model = mlflow.pytorch.load_model(uri, map_location="cpu")
    except (MlflowException, ImportError, *LOAD_ERRORS) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"option model: {uri} cannot be loaded as a PyTorch module ({first[:200]}); give a file with its state dict"
        ) from None
    if not isinstance(model, nn.Module):
        raise UserError(f"option model: {uri} is no PyTorch module but a {type(model).__name__}")
    return model


def load_settings(store: Store, uri: str) -> Settings | MaskSettings:
    """What a model that was logged with a run knows of its classes and preprocessing (`uri` from `log_model`)."""
    location = store._client.get_logged_model(uri.removeprefix("models:/")).artifact_location
    with TemporaryDirectory(prefix="prunecxr-") as folder:
        local = mlflow.artifacts.download_artifacts(f"{location}/data/{flavor.SETTINGS}", dst_path=folder)
        content = json.loads(Path(local).read_text(encoding="utf-8"))
        kind = MaskSettings if "setting" in content else Settings
        return kind(**{**content, "classes": tuple(content["classes"])})


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
        raise UserError(f"option model: {uri}: {str(error).splitlines()[0]}") from None
    return str(version.run_id or "")


def _alias_taken(store: Store, model_name: str, alias: str) -> bool:
    try:
        store._client.get_model_version_by_alias(model_name, alias)
    except MlflowException:
        return False
    return True


def model_link(store: Store, model_name: str, alias: str, run_id: str) -> str:
    """How to load the version that came from a run: by alias if it has that, else by number; empty without one."""
    version = find_version(store, model_name, run_id)
    if version is None:
        return ""
    if alias not in version.aliases and not _alias_taken(store, model_name, alias):
        store._client.set_registered_model_alias(model_name, alias, version.version)  # killed between the two steps
        return f"models:/{model_name}@{alias}"
    return f"models:/{model_name}@{alias}" if alias in version.aliases else f"models:/{model_name}/{version.version}"
