"""Networks that are stored with runs: written, and read back checked against what was written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.artifacts
import mlflow.pytorch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from torch import nn

from prunecxr.compression.packing import PackedModel
from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.networks.checkpoints import LOAD_ERRORS
from prunecxr.networks.foreign import weights_digest
from prunecxr.tracking import flavor, names
from prunecxr.tracking.faults import first_line
from prunecxr.tracking.predictors import MaskSettings, Settings
from prunecxr.tracking.run import TrackedRun
from prunecxr.tracking.store import Store

Noted = dict[str, dict[str, str]]  # URI of a model -> digests of its weights and settings, and its precision

DAMAGED = "restore them, or delete the run that it belongs to and repeat the command that made it"


def log_model(run: TrackedRun, model: nn.Module, settings: Settings | MaskSettings, name: str) -> str:
    """Store the network with a run; its URI is returned and noted on the run. A stored one is found.

    A run has one model of each precision; the first of them is the one that its tag `prunecxr.model` names.

    Args:
        settings: what is kept beside the weights.
        name: of the logged model.
    """
    rounded = f"{names.MODEL}.{settings.precision}"
    for tag in (names.MODEL, rounded):
        if tag in run.tags and precision_of(run, run.tags[tag]) == settings.precision:
            return run.tags[tag]
    info = Model.log(artifact_path=None, flavor=flavor, run_id=run.id, name=name, model=model, settings=settings)
    uri, digests = str(info.model_uri), _noted(run.tags)
    text = flavor.settings_text(settings)
    digests[uri] = {
        "weights": weights_digest(_as_loaded(model, settings)),
        "settings": _text_digest(text),
        "precision": settings.precision,
    }
    tag = rounded if names.MODEL in run.tags else names.MODEL
    run.log(tags={tag: uri, names.MODEL_DIGESTS: json.dumps(digests, sort_keys=True)})
    return uri


def _as_loaded(model: nn.Module, settings: Settings | MaskSettings) -> nn.Module:
    """The network with the weights that it has once it is loaded."""
    if settings.precision == "fp32":
        return model
    build, arguments = PackedModel(
        model, settings.architecture, settings.n_outputs(), settings.precision
    ).__reduce_ex__(2)
    network = build(*arguments)
    assert isinstance(network, nn.Module)
    return network


def _noted(tags: dict[str, str]) -> Noted:
    """What was noted of a run's models; empty where an earlier version logged them."""
    try:
        noted = json.loads(tags.get(names.MODEL_DIGESTS, "{}"))
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def precision_of(run: TrackedRun, uri: str) -> str:
    """In which precision the weights of a stored model are kept."""
    noted = _noted(run.tags).get(uri)
    return noted["precision"] if noted else load_settings(run.store, uri).precision


def load_network(uri: str) -> nn.Module:
    """The plain network behind a model URI, on the CPU, in eval mode.

    Raises:
        EnvironmentFault: its files are gone or damaged.
    """
    try:
        model = mlflow.pytorch.load_model(uri, map_location="cpu")
        wanted = _wanted(MlflowClient(), uri)
        intact = wanted is None or weights_digest(model) == wanted
    except Exception as error:  # noqa: BLE001 (whatever a damaged file makes of its readers)
        raise EnvironmentFault(
            f"model {uri} cannot be loaded ({first_line(error)}): its files are gone or damaged; {DAMAGED}"
        ) from None
    if not intact:
        raise EnvironmentFault(
            f"model {uri} is damaged (its weights are not those that were stored): its files in the store have "
            f"changed; {DAMAGED}"
        )
    assert isinstance(model, nn.Module)
    return model


def _wanted(client: MlflowClient, uri: str) -> str | None:
    """The digest of the weights that was noted for a model URI; None: an earlier version, or a stranger, stored it."""
    name, at, alias = uri.removeprefix("models:/").partition("@")
    if at:
        version = client.get_model_version_by_alias(name, alias)
    elif "/" in name:
        version = client.get_model_version(*name.rsplit("/", 1))
    else:
        version = None
    stored = uri if version is None else str(version.source)
    run_id = client.get_logged_model(name).source_run_id if version is None else version.run_id
    if not run_id:
        return None
    return _noted(client.get_run(run_id).data.tags).get(stored, {}).get("weights")


def load_foreign(uri: str) -> nn.Module:
    """A PyTorch module that another program logged, on the CPU, in eval mode. Its pickle may run code: it is trusted.

    Raises:
        UserError: no PyTorch model, or one that needs code that is not here.
    """
    try:
        model = mlflow.pytorch.load_model(uri, map_location="cpu")
    except (MlflowException, ImportError, *LOAD_ERRORS) as error:
        first = first_line(error)
        raise UserError(
            f"option model: {uri} cannot be loaded as a PyTorch module ({first[:200]}); give a file with its state dict"
        ) from None
    if not isinstance(model, nn.Module):
        raise UserError(f"option model: {uri} is no PyTorch module but a {type(model).__name__}")
    return model


def load_settings(store: Store, uri: str) -> Settings | MaskSettings:
    """What a model that was logged with a run knows of its classes and preprocessing (`uri` from `log_model`).

    Raises:
        EnvironmentFault: they are gone or damaged.
    """
    try:
        logged = store._client.get_logged_model(uri.removeprefix("models:/"))
        tags = store._client.get_run(logged.source_run_id).data.tags if logged.source_run_id else {}
        with TemporaryDirectory(prefix="prunecxr-") as folder:
            source = f"{logged.artifact_location}/data/{flavor.SETTINGS}"
            path = Path(mlflow.artifacts.download_artifacts(source, dst_path=folder))
            wanted = _noted(tags).get(uri, {}).get("settings")
            if wanted is not None and _text_digest(path.read_text(encoding="utf-8")) != wanted:
                raise ValueError("their content is not what was stored")
            return flavor.read_settings(path)
    except Exception as error:  # noqa: BLE001 (whatever a damaged file makes of its readers)
        raise EnvironmentFault(
            f"model {uri}: its settings ({flavor.SETTINGS}) are gone or damaged ({first_line(error)}); {DAMAGED}"
        ) from None
