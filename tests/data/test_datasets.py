from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from prunecxr.data.cache import cache_images, data_fingerprint
from prunecxr.data.datasets import DATASETS, open_dataset
from prunecxr.errors import UserError
from prunecxr.options.sections import DataOptions


def options(dataset: str = "csv", **others: Any) -> Any:
    defaults = {
        "dataset_name": None,
        "images": None,
        "labels": None,
        "id_column": None,
        "subject_column": None,
        "ignore_columns": (),
        "label_map": {},
        "metadata": (),
        "metadata_table": None,
        "image_size": 64,
        "interpolation": "bilinear",
        "phantom_train": 60,
        "phantom_val": 50,
        "phantom_test": 50,
        "phantom_seed": 0,
    }
    return SimpleNamespace(dataset=dataset, **(defaults | others))


def write_dataset(folder: Path, where: str = "{split}/{name}.png") -> Any:
    """Three splits of two images of one patient each; returns the options that open them."""
    for split in ("train", "val", "test"):
        rows = [f"{split}{n},{n},{1 - n},{split}" for n in range(2)]
        (folder / f"labels_{split}.csv").write_text("\n".join(["id,Mass,No finding,patient_id", *rows]))
        for n in range(2):
            path = folder / "images" / where.format(split=split, name=f"{split}{n}")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((10, 12), n * 50, np.uint8)).save(path)
    return options(images=folder / "images", labels=str(folder))


@pytest.mark.parametrize("where", ["{name}.png", "{split}/{name}.png", "a/b/{split}/c/{name}.jpg"])
def test_tables_and_images_of_any_nesting_are_joined(tmp_path: Path, where: str):
    dataset = open_dataset(write_dataset(tmp_path, where))
    assert (dataset.name, dataset.classes, dataset.no_finding) == ("csv", ("Mass", "No finding"), "No finding")
    assert dataset.warnings == ()
    for split in (dataset.train, dataset.val, dataset.test):
        assert list(split.images.ids) == split.table.ids.tolist() == [f"{split.name}0", f"{split.name}1"]
        assert split.images.read(1).shape == (10, 12)
        cached = cache_images(split.images, 4, "bilinear", tmp_path / "cache")
        assert cached.pixels.mean(axis=(1, 2)).tolist() == [0, 50]
        assert len(data_fingerprint(split.table, cached)) == 64


def test_a_data_set_may_be_given_a_name(tmp_path: Path):
    given = write_dataset(tmp_path)
    given.dataset_name = "mine"
    assert open_dataset(given).name == "mine"


def test_the_published_data_sets_are_recognised_by_either_name(tmp_path: Path):
    given = write_dataset(tmp_path)
    for dataset, dataset_name in (("nih-cxr-lt", None), ("nih-cxr-lt", "mine"), ("csv", "nih-cxr-lt")):
        given.dataset, given.dataset_name = dataset, dataset_name
        assert "classes of the published data set that are not here: Atelectasis" in open_dataset(given).warnings[0]


def test_unknown_data_sets():
    with pytest.raises(UserError, match=f"dataset: unknown 'nih'; known: {', '.join(DATASETS)}"):
        open_dataset(options("nih"))


@pytest.mark.parametrize("missing", ["labels", "images"])
def test_a_missing_option_is_named(tmp_path: Path, missing: str):
    given = write_dataset(tmp_path)
    setattr(given, missing, None)
    with pytest.raises(UserError, match=f"^{missing}: dataset csv needs the folder"):
        open_dataset(given)


def test_two_rows_of_one_file(tmp_path: Path):
    given = write_dataset(tmp_path)
    table = tmp_path / "labels_test.csv"
    table.write_text(table.read_text().replace("test0", "train0.png"))
    with pytest.raises(
        UserError, match=r"two rows mean the same image file .*: 'train0' \(train\) and 'train0.png' \(test"
    ):
        open_dataset(given)


def test_a_missing_image_names_its_table(tmp_path: Path):
    given = write_dataset(tmp_path)
    next((tmp_path / "images").rglob("val1.png")).unlink()
    with pytest.raises(UserError, match=r"labels_val\.csv: 1 of 2 images are not below .*: val1; 5 files are there"):
        open_dataset(given)


def test_warnings_of_the_tables_are_kept(tmp_path: Path):
    given = write_dataset(tmp_path)
    given.subject_column, given.ignore_columns = "none", ("patient_id",)
    warnings = open_dataset(given).warnings
    assert [bool(re.match(r"labels_\w+\.csv: every image counts", warning)) for warning in warnings] == [True] * 3


def test_mimic_layouts(tmp_path: Path):
    for split, patient in (("train", 10000032), ("val", 11000033), ("test", 12000034)):
        name = f"files/p{str(patient)[:2]}/p{patient}/s5/{split}.jpg"
        path = tmp_path / "mimic-cxr-jpg" / "2.0.0" / name
        path.parent.mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        for kind, header, row in (
            ("path", "path,subject_id,study_id,dicom_id,Mass,No Finding", f"{name},{patient},5,{split},1,0"),
            ("parts", "subject_id,study_id,dicom_id,Mass,No Finding", f"{patient},5,{split},1,0"),
        ):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f"mimic_{split}.csv").write_text(f"{header}\n{row}\n")
    for kind in ("path", "parts"):
        for images in ("mimic-cxr-jpg", "mimic-cxr-jpg/2.0.0", "mimic-cxr-jpg/2.0.0/files"):
            dataset = open_dataset(options("mimic-cxr-lt", images=tmp_path / images, labels=str(tmp_path / kind)))
            assert dataset.train.images.read(0).shape == (4, 4)
            assert dataset.train.table.ids.tolist() == ["train"]
            assert dataset.classes == ("Mass", "No Finding")


def test_the_phantom():
    dataset = open_dataset(DataOptions(phantom_train=60, phantom_val=50, phantom_test=50, image_size=64))
    assert [len(split.table) for split in (dataset.train, dataset.val, dataset.test)] == [60, 50, 50]
    assert dataset.train.images.read(0).shape == (64, 64)
    assert dataset.no_finding == "No Finding"


def test_real_radiographs(test_data: Path, tmp_path: Path):
    folder = test_data / "nih-cxr-64"
    dataset = open_dataset(options("nih-cxr-lt", images=folder, labels=str(folder)))
    assert [len(split.table) for split in (dataset.train, dataset.val, dataset.test)] == [477, 91, 232]
    assert len(dataset.classes) == 15
    assert "no positive image in the test split: Emphysema, Hernia, Mass" in dataset.warnings
    cached = cache_images(dataset.val.images, 64, "bilinear", tmp_path)
    with Image.open(folder / "images" / cached.ids[5]) as image:
        np.testing.assert_array_equal(cached.pixels[5], np.asarray(image.convert("RGB"))[:, :, 0])


def test_skin_lesions_are_a_data_set_too(test_data: Path, tmp_path: Path):
    """No chest, colour JPEGs, no patients, labels written 0.0 and 1.0, ids without extension."""
    header, *rows = (test_data / "isic2017-256" / "ISIC-2017_Training_Part3_GroundTruth.csv").read_text().split()
    for at, split in enumerate(("train", "val", "test")):
        (tmp_path / f"{split}.csv").write_text("\n".join([header, *rows[at::300]]))
    images = test_data / "isic2017-256" / "ISIC-2017_Training_Data"
    dataset = open_dataset(options(images=images, labels=str(tmp_path), subject_column="none"))
    assert dataset.classes == ("melanoma", "seborrheic_keratosis")
    assert dataset.no_finding is None
    assert dataset.train.images.read(0).shape == (256, 256)


def test_the_data_layer_needs_neither_torch_nor_mlflow_nor_pydicom():
    modules = ["labels", "images", "cache", "datasets", "published"]
    code = "; ".join(f"import prunecxr.data.{module}" for module in modules)
    code += "; import sys; print([name for name in ('torch', 'mlflow', 'pydicom') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
