"""Networks in the registry: bit for bit, in the precision asked for, under aliases that keep their network."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from mlflow.models import Model

from prunecxr.compression.packing import PackedModel
from prunecxr.errors import EnvironmentFault
from prunecxr.networks.families import build_model
from prunecxr.networks.unet import build_unet, unet_name
from prunecxr.tracking import flavor, names, registry, runs
from prunecxr.tracking.predictors import MaskSettings, Settings
from tests.tracking.variants import CLASSES

FEATURES = (4, 4, 8, 8, 16, 4)
SETTINGS = Settings("resnet18", CLASSES, 32, "bilinear", True, 16)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return build_model("resnet18", 3, "none", seed=0).eval()


def new_run(store, study: str = "s", key: str = "k"):
    return runs.create(store, "variant", {names.KEY: key, names.STUDY: study, names.ARCHITECTURE: "resnet18"}, name="n")


def files_of(store, uri: str) -> Path:
    location = store._client.get_logged_model(uri.removeprefix("models:/")).artifact_location
    return Path(location.removeprefix("file://"))


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def name_of(store, study: str = "s") -> str:
    return names.model_name(f"{study}{store.experiment_id}-{store.experiment_name[:12]}", "resnet18")


@pytest.mark.parametrize("setting", ["supervised", "semi", "weak"])
def test_a_u_net_comes_back_and_predicts_masks(tmp_path, setting):
    head = setting == "weak"
    model = build_unet(FEATURES, 0, 3 if head else None).eval()
    settings = MaskSettings(setting, ("a", "b", "c"), 32, False, 8, unet_name(FEATURES, head))
    flavor.save_model(str(tmp_path / "m"), Model(), model, settings)
    assert equal(mlflow.pytorch.load_model(str(tmp_path / "m")), model)
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3)).astype(np.uint8)
    masks = mlflow.pyfunc.load_model(str(tmp_path / "m")).predict(images)
    assert (masks.shape, masks.dtype) == ((3, 32, 32), np.uint8)
    assert set(np.unique(masks)) <= {0, 1}
    assert flavor.read_settings(tmp_path / "m/data" / flavor.SETTINGS) == settings


def test_a_pruned_u_net_is_packed():
    model = build_unet(FEATURES, 0).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight *= torch.rand_like(module.weight) > 0.9
    packed = flavor.packed(model, MaskSettings("semi", (), 32, False, 8, unet_name(FEATURES, False)))
    assert isinstance(packed, PackedModel)
    build, arguments = packed.__reduce_ex__(2)
    assert arguments[0] == "unet:4,4,8,8,16,4"
    assert equal(build(*arguments), model)


def test_localization_networks_of_earlier_versions_load(tmp_path):
    model = build_unet(FEATURES, 0, 2).eval()
    settings = MaskSettings("weak", ("a", "b"), 32, False, 8)
    flavor.save_model(str(tmp_path / "m"), Model(), model, settings)
    path = tmp_path / "m/data" / flavor.SETTINGS
    content = json.loads(path.read_text())
    del content["architecture"], content["precision"]
    path.write_text(json.dumps(content))
    (tmp_path / "m/MLmodel").write_text(
        (tmp_path / "m/MLmodel").read_text().replace("prunecxr.tracking.flavor", "prunecxr.tracking.mask_flavor")
    )
    assert "mask_flavor" in (tmp_path / "m/MLmodel").read_text()
    assert mlflow.pyfunc.load_model(str(tmp_path / "m")).predict(np.zeros((1, 32, 32, 3), np.uint8)).shape == (
        1,
        32,
        32,
    )
    assert equal(mlflow.pytorch.load_model(str(tmp_path / "m")), model)


def test_weights_and_settings_are_checked(store, network, monkeypatch):
    run = new_run(store)
    uri = registry.log_model(run, network, SETTINGS, "dense")
    name = name_of(store)
    version = registry.register(run, uri, name, "seed-00", {})
    for source in (uri, version, f"models:/{name}@seed-00"):
        assert equal(registry.load_network(source), network)
    load = mlflow.pytorch.load_model

    def flipped(*given, **options):
        model = load(*given, **options)
        with torch.no_grad():
            model.fc.bias[0] += 1e-6
        return model

    monkeypatch.setattr(mlflow.pytorch, "load_model", flipped)
    for source in (uri, version, f"models:/{name}@seed-00"):
        with pytest.raises(EnvironmentFault, match="is damaged .its weights are not those"):
            registry.load_network(source)
    run.put_tag(names.MODEL_DIGESTS, "{}")  # as earlier versions left it
    assert not equal(registry.load_network(uri), network)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("MLmodel", lambda path: path.write_bytes(b"")),
        ("MLmodel", lambda path: path.write_bytes(path.read_bytes()[:50])),
        ("MLmodel", lambda path: path.write_text("[")),
        ("MLmodel", lambda path: path.unlink()),
        ("data/model.pth", flip),
        ("data/model.pth", lambda path: path.write_bytes(path.read_bytes()[:5000])),
        ("data/model.pth", lambda path: path.write_bytes(b"")),
    ],
)
def test_damaged_files_of_a_model_are_one_line(sqlite_store, network, file, damage):
    uri = registry.log_model(new_run(sqlite_store), network, SETTINGS, "dense")
    damage(files_of(sqlite_store, uri) / file)
    with pytest.raises(EnvironmentFault, match=f"model {uri} .*damaged.*; restore them, or delete the run") as caught:
        registry.load_network(uri)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("{}"),
        lambda path: path.unlink(),
        lambda path: path.write_text(path.read_text().replace("32", "64")),
    ],
)
def test_damaged_settings_are_one_line(sqlite_store, network, damage):
    uri = registry.log_model(new_run(sqlite_store), network, SETTINGS, "dense")
    assert registry.load_settings(sqlite_store, uri) == SETTINGS
    damage(files_of(sqlite_store, uri) / "data" / flavor.SETTINGS)
    with pytest.raises(EnvironmentFault, match=f"model {uri}: its settings .* are gone or damaged"):
        registry.load_settings(sqlite_store, uri)


def test_another_precision_is_another_version_of_the_same_run(store, network, caplog):
    caplog.set_level("WARNING")  # libraries that another test loaded may have raised that of all logs
    run, name = new_run(store), name_of(store)
    full = registry.log_model(run, network, SETTINGS, "k90")
    first = registry.register(run, full, name, "seed-00-k90", {"seed": "0"})
    assert registry.model_link(store, name, "seed-00-k90", run.id, "fp32") == f"models:/{name}@seed-00-k90"
    assert registry.model_link(store, name, "seed-00-k90", run.id, "fp16") == ""
    half = Settings(**{**vars(SETTINGS), "precision": "fp16"})
    rounded = registry.log_model(run, network, half, "k90")
    assert rounded != full
    assert run.tags[names.MODEL] == full
    assert not caplog.records
    second = registry.register(run, rounded, name, "seed-00-k90", {"seed": "0"})
    assert second != first
    assert "now names version 2 (fp16) of the same network, before 1 (fp32)" in caplog.text
    caplog.clear()
    found = runs.get(store, run.id)
    assert registry.log_model(found, network, half, "k90") == rounded
    assert registry.log_model(found, network, SETTINGS, "k90") == full
    assert registry.register(found, rounded, name, "seed-00-k90", {"seed": "0"}) == second
    assert registry.model_link(store, name, "seed-00-k90", run.id, "fp16") == f"models:/{name}@seed-00-k90"
    assert registry.model_link(store, name, "seed-00-k90", run.id, "fp32") == first
    assert registry.model_link(store, name, "seed-00-k90", run.id) == f"models:/{name}@seed-00-k90"
    assert not caplog.records
    loaded = registry.load_network(f"models:/{name}@seed-00-k90")  # its digest is that of the rounded weights
    assert not equal(loaded, network)
    version = store._client.get_model_version(name, "2")
    assert version.tags["precision"] == "fp16"


def test_an_alias_keeps_its_network(store, network, caplog):
    caplog.set_level("WARNING")  # libraries that another test loaded may have raised that of all logs
    name, links = name_of(store), []
    ours, theirs = new_run(store, key="a"), new_run(store, key="b")
    for run in (ours, theirs):
        uri = registry.log_model(run, network, SETTINGS, "dense")
        registry.register(run, uri, name, "seed-00", {})
        links.append(registry.model_link(store, name, "seed-00", run.id))
        assert registry.register(run, uri, name, "seed-00", {}) == f"models:/{name}/{len(links)}"
    assert links == [f"models:/{name}@seed-00", f"models:/{name}/2"]
    assert f"alias seed-00 of model {name} stays with version 1" in caplog.text
    assert f"models:/{name}/2" in caplog.text
    assert store._client.get_model_version_by_alias(name, "seed-00").run_id == ours.id


def test_what_an_earlier_version_registered_is_found_where_it_is(store, network):
    run, older = new_run(store), name_of(store, "dataset")
    uri = registry.log_model(run, network, SETTINGS, "dense")
    client = store._client
    client.create_registered_model(older)
    client.create_model_version(older, uri, run_id=run.id, tags={"seed": "0"}, model_id=uri.removeprefix("models:/"))
    client.set_registered_model_alias(older, "seed-00", "1")
    name = name_of(store)
    assert registry.register(run, uri, name, "seed-00", {"seed": "0", "study": "s"}) == f"models:/{older}/1"
    assert registry.model_link(store, name, "seed-00", run.id) == f"models:/{older}@seed-00"
    assert client.get_model_version(older, "1").tags == {"seed": "0"}
    assert not client.search_registered_models(f"name = '{name}'")


def test_two_studies_have_models_of_their_own(store):
    ours, theirs = new_run(store, "one"), new_run(store, "an/other")
    assert registry.model_of(ours) == "prunecxr-one-resnet18"
    assert registry.model_of(theirs) == "prunecxr-an_other-resnet18"
