"""Networks by name, their heads, their initial weights."""

from __future__ import annotations

import pytest
import torch
import torchvision

from prunecxr.errors import EnvironmentFault, UserError
from prunecxr.networks.families import (
    FAMILIES,
    architectures,
    build_architecture,
    build_model,
    build_skeleton,
    check_architecture,
    head_keys,
    weights_identity,
)
from prunecxr.networks.prunable import prunable_weights
from prunecxr.networks.unet import build_unet, unet_name


def test_resnet50_has_the_weights_of_paper_a():
    model = build_model("resnet50", 20, "none", seed=0)
    assert sum(w.numel() for w in prunable_weights(model).values()) == 23_495_872
    assert sum(p.numel() for p in model.parameters()) == 23_549_012


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "vit_b_16", "googlenet", "inception_v3", "squeezenet1_1"])
def test_any_classifier_gets_its_head(name):
    model = build_model(name, 7, "none", seed=0).eval()
    size = 96 if name != "vit_b_16" else 224
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, size, size)).shape == (2, 7)


def test_the_seed_drives_the_initialisation_and_leaves_the_global_generator():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, other = (build_model("resnet18", 3, "none", seed=s) for s in (1, 2))
    assert torch.equal(torch.rand(1), expected)
    again = build_model("resnet18", 3, "none", seed=1)
    assert torch.equal(one.conv1.weight, again.conv1.weight)
    assert not torch.equal(one.conv1.weight, other.conv1.weight)


def test_a_weight_file_gives_the_backbone_and_the_seed_the_head(tmp_path):
    source = build_model("resnet18", 1000, "none", seed=9)
    path = tmp_path / "w.pt"
    torch.save(source.state_dict(), path)
    one, other = (build_model("resnet18", 4, str(path), seed=s) for s in (1, 2))
    assert torch.equal(one.conv1.weight, source.conv1.weight)
    assert torch.equal(other.layer4[1].conv2.weight, source.layer4[1].conv2.weight)
    assert not torch.equal(one.fc.weight, other.fc.weight)


@pytest.mark.parametrize("name", ["resnet18", "regnet_x_400mf"])
def test_a_skeleton_has_the_shapes_and_no_memory_and_draws_nothing(name):
    before = torch.get_rng_state()
    skeleton = build_skeleton(name, 5)
    assert torch.equal(torch.get_rng_state(), before)
    assert {tensor.device.type for tensor in skeleton.state_dict().values()} == {"meta"}
    model = build_architecture(name, 5)
    assert {k: v.shape for k, v in skeleton.state_dict().items()} == {k: v.shape for k, v in model.state_dict().items()}


def test_head_keys():
    assert head_keys("resnet18") == {"fc.weight", "fc.bias"}


def test_identity_of_a_weight_file_is_its_content(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes((tmp_path / "a.pt").read_bytes())
    assert weights_identity("resnet18", str(tmp_path / "a.pt")) == weights_identity("resnet18", str(tmp_path / "b.pt"))
    assert weights_identity("resnet50", "imagenet") == "ResNet50_Weights.IMAGENET1K_V1"
    assert weights_identity("resnet50", "IMAGENET1K_V2") == "ResNet50_Weights.IMAGENET1K_V2"
    assert weights_identity("resnet50", "none") == "none"


def test_unknown_names():
    with pytest.raises(UserError, match="no classifier 'resnet51'; there is resnet50|resnet5"):
        build_model("resnet51", 3, "none", 0)
    with pytest.raises(UserError, match="no weight set of resnet50; there are none, imagenet, IMAGENET1K_V1"):
        build_model("resnet50", 3, "imgnet", 0)


def test_weight_files_that_do_not_fit(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="w.pt is not a file of tensors"):
        build_model("resnet18", 3, str(path), 0)
    torch.save([1, 2], path)
    with pytest.raises(UserError, match="w.pt holds no state dict"):
        build_model("resnet18", 3, str(path), 0)
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    with pytest.raises(UserError, match="w.pt does not fit resnet18: lacks"):
        build_model("resnet18", 3, str(path), 0)
    torch.save(build_model("resnet34", 1000, "none", 0).state_dict(), path)
    with pytest.raises(UserError, match="w.pt does not fit resnet18: has"):
        build_model("resnet18", 3, str(path), 0)


def test_tensors_of_another_shape_are_named(tmp_path):
    state = build_model("resnet18", 1000, "none", 0).state_dict() | {"conv1.weight": torch.zeros(64, 1, 7, 7)}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"conv1.weight has shape \(64, 1, 7, 7\) instead of \(64, 3, 7, 7\)$"):
        build_model("resnet18", 3, str(tmp_path / "w.pt"), 0)


UNET = "unet:4,4,8,8,16,4"


def test_a_unet_is_built_by_its_name_as_by_its_channels():
    by_name, by_channels = build_model(UNET, 2, "none", seed=3), build_unet((4, 4, 8, 8, 16, 4), seed=3)
    with_head = build_model(UNET.replace("unet", "unet-classes"), 5, "none", seed=3)
    also = build_unet((4, 4, 8, 8, 16, 4), seed=3, head_classes=5)
    for one, other in ((by_name, by_channels), (with_head, also)):
        assert one.state_dict().keys() == other.state_dict().keys()
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    inputs = torch.zeros(2, 3, 32, 32)
    with torch.inference_mode():
        assert by_name.eval()(inputs).shape == (2, 2, 32, 32)
        assert with_head.eval()(inputs).shape == (2, 5)


@pytest.mark.parametrize(
    "name", [UNET, UNET.replace("unet", "unet-classes"), unet_name((4, 4, 8, 8, 16, 4), head=True)]
)
def test_every_family_has_skeletons_and_head_keys(name):
    skeleton = build_skeleton(name, 3)
    assert {tensor.device.type for tensor in skeleton.state_dict().values()} == {"meta"}
    layer = "final_conv" if name.startswith("unet:") else "final_conv.linear"
    assert head_keys(name) == {f"{layer}.weight", f"{layer}.bias"}


def test_what_families_give():
    assert {name: family.outputs for name, family in FAMILIES.items()} == {
        "torchvision": "classes",
        "unet": "masks",
        "unet-classes": "classes",
    }
    assert "resnet18" in architectures()
    assert architectures("masks") == []
    check_architecture("resnet18")
    check_architecture(UNET, "masks")
    with pytest.raises(UserError, match=f"option architecture: {UNET} gives masks, and classes are needed"):
        check_architecture(UNET)
    for name in ("unet:", "unet:4,4", "unet:0,4,8,8,16,4", "unet:a", "unet-classes:4,4,8,8,16,4,4"):
        with pytest.raises(UserError, match="does not say the channels of a U-Net, as in unet"):
            build_skeleton(name, 2)
    with pytest.raises(UserError, match="torchvision has no classifier 'vnet:4'"):
        build_skeleton("vnet:4", 2)
    with pytest.raises(UserError, match="'imagenet' is no file, and unet:.* has no weight sets"):
        weights_identity(UNET, "imagenet")


def test_a_new_family_is_one_entry(monkeypatch):
    class Linear:
        outputs = "classes"

        def names(self):
            return ["linear:3"]

        def check(self, name):
            pass

        def build(self, name, n_outputs):
            return torch.nn.Linear(int(name.partition(":")[2]), n_outputs)

    monkeypatch.setitem(FAMILIES, "linear", Linear())
    assert build_model("linear:3", 4, "none", 0).weight.shape == (4, 3)
    assert "linear:3" in architectures()
    assert head_keys("linear:3") == {"weight", "bias"}


def test_a_download_that_fails_says_what_else_to_do(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network")

    weights = torchvision.models.get_model_weights("resnet18").IMAGENET1K_V1
    monkeypatch.setattr(type(weights), "get_state_dict", refuse)
    with pytest.raises(EnvironmentFault, match="could not be downloaded .*weights=FILE.*weights=none"):
        build_model("resnet18", 3, "imagenet", 0)
