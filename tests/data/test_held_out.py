"""The test split alone: its labels and images, and what is known of the training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prunecxr.data.datasets import open_dataset
from prunecxr.data.held_out import open_held_out
from prunecxr.errors import UserError
from prunecxr.options.sections import DataOptions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three tables, the train table's classes in another order; images of the test split alone."""
    for split in ("train", "val", "test"):
        classes = "No finding,Mass" if split == "train" else "Mass,No finding"
        rows = [f"{split}{i}.png,{split}-p,{int(i == 0)},{int(i > 0)}" for i in range(3)]
        (tmp_path / f"{split}.csv").write_text("\n".join([f"id,patient_id,{classes}", *rows]) + "\n")
    (tmp_path / "images").mkdir()
    for i in range(3):
        Image.fromarray(np.full((4, 4), i, np.uint8)).save(tmp_path / "images" / f"test{i}.png")
    return tmp_path


def options(folder: Path, **changes) -> DataOptions:
    given = {"dataset": "csv", "images": folder / "images", "labels": str(folder / "test.csv"), **changes}
    return DataOptions(**given)


def test_a_test_table_alone(folder):
    held_out = open_held_out(options(folder, dataset_name="mine"))
    assert (held_out.name, held_out.classes) == ("mine", ("Mass", "No finding"))
    assert held_out.test.images.read(2).tolist() == np.full((4, 4), 2).tolist()
    assert held_out.counts.columns.tolist() == ["class", "test_count", "n_test"]
    assert held_out.counts["test_count"].tolist() == [1, 2]
    assert "Training frequencies are unknown" in held_out.warnings[-1]


@pytest.mark.parametrize("kind", ["table", "counts"])
def test_training_labels_count_and_leave_the_order_alone(folder, kind):
    path = folder / "train.csv"
    if kind == "counts":
        path = folder / "counts.csv"
        path.write_text("class,count\nNo finding,1\nMass,2\n")
    held_out = open_held_out(options(folder), path)
    assert held_out.classes == ("Mass", "No finding")
    assert held_out.counts["train_count"].tolist() == [2, 1]
    assert not any("unknown" in warning for warning in held_out.warnings)


def test_all_tables_give_the_order_of_the_training(folder):
    held_out = open_held_out(options(folder, labels=str(folder)))
    assert held_out.classes == ("No finding", "Mass")
    assert held_out.test.table.labels.sum(axis=0).tolist() == [2, 1]
    assert held_out.counts["train_count"].tolist() == [1, 2]
    with pytest.raises(UserError, match="labels names a train table already"):
        open_held_out(options(folder, labels=str(folder)), folder / "train.csv")


def test_the_phantom_is_held_out_as_it_is():
    phantom = DataOptions(phantom_train=60, phantom_val=50, phantom_test=50, image_size=32)
    held_out, dataset = open_held_out(phantom), open_dataset(phantom)
    assert held_out.classes == dataset.classes
    assert held_out.counts["train_count"].tolist() == dataset.train.table.labels.sum(axis=0).tolist()
    np.testing.assert_array_equal(held_out.test.images.read(3), dataset.test.images.read(3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "labels: dataset csv needs the label table of the test images"),
        ({"images": None}, "images: dataset csv needs the folder"),
        ({"labels": "nope"}, "labels: there is no folder nope"),
    ],
)
def test_mistakes(folder, changes, message):
    with pytest.raises(UserError, match=message):
        open_held_out(options(folder, **changes))


def test_a_patient_of_the_training_is_noticed(folder):
    table = folder / "train.csv"
    table.write_text(table.read_text().replace("train-p", "test-p"))
    with pytest.raises(UserError, match="1 patient is in both the test and the train table"):
        open_held_out(options(folder), table)
