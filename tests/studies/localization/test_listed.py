"""Lesions that a table lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.catalogue import open_lesions
from prunecxr.studies.localization.lesions.dataset import LesionDataset
from tests.lesion_files import lesion, options, write_picture, write_table

SPLIT_OF = ["train"] * 6 + ["Validation", "val", "test", "TEST", "unlabelled", "unlabeled"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(12):
        image, mask = lesion(number)
        write_picture(tmp_path / "photos" / f"p{number}.jpg", image)
        write_picture(tmp_path / "masks" / f"p{number}.png", mask)
    return tmp_path


def opened(folder: Path, header: str, rows: list[str], **others) -> LesionDataset:
    write_table(folder / "t.csv", header, rows)
    return open_lesions(options("csv", table=folder / "t.csv", **others))


def listed(split: bool = True) -> tuple[str, list[str]]:
    rows = [f"n{n},photos/p{n}.jpg,masks/p{n}.png,{n * 7},female,mel,k{n}" for n in range(12)]
    header = "id,image,mask,age,sex,diagnosis,patient"
    return (f"{header},split", [f"{row},{SPLIT_OF[n]}" for n, row in enumerate(rows)]) if split else (header, rows)


def test_splits_of_the_table(folder: Path):
    dataset = opened(folder, *listed())
    assert [split.ids for split in (dataset.train, dataset.val, dataset.test)] == [
        tuple(f"n{n}" for n in range(6)),
        ("n6", "n7"),
        ("n8", "n9"),
    ]
    assert dataset.unlabelled is not None
    assert (dataset.unlabelled.ids, dataset.unlabelled.masks) == (("n10", "n11"), None)
    assert dataset.warnings == ()
    assert dataset.val.table.iloc[1].to_dict() == {
        "id": "n7", "subject": "k7", "age": 49.0, "sex": "female", "diagnosis": "mel",
    }  # fmt: skip
    assert np.array_equal(dataset.val.masks.read(1), lesion(7)[1] > 0)
    assert dataset.val.images.read(1).shape == (24, 32, 3)


def test_drawn_splits(folder: Path):
    dataset = opened(folder, *listed(split=False))
    assert [len(split) for split in (dataset.train, dataset.val, dataset.test)] == [9, 1, 2]
    assert dataset.warnings == ("the val and test splits were drawn (split_seed 0): train 9, val 1, test 2 images",)


def test_paths_are_found_below_another_folder_and_by_name(folder: Path):
    rows = [f"D:\\x\\p{n}.jpg" for n in range(12)]
    with pytest.raises(UserError, match=r"row 2, column 'file': 'D:/x/p0.jpg' is not relative"):
        opened(folder, "file,age", [f"{row},3" for row in rows])
    rows = [f"photos\\p{n}.jpg,masks\\p{n}.png" for n in range(12)]
    dataset = opened(folder, "image path,mask path", rows, images=folder)
    assert dataset.train.masks is not None
    dataset = opened(folder, "image,age", [f"p{n},3" for n in range(12)], images=folder / "photos", dataset_name="mine")
    assert (dataset.name, dataset.train.masks) == ("mine", None)
    assert dataset.train.ids[0].startswith("p")


def test_an_image_without_a_mask(folder: Path):
    header, rows = listed()
    rows[3] = rows[3].replace("masks/p3.png", "")
    with pytest.raises(UserError, match=r"t\.csv, row 5: no mask; images without masks are marked 'unlabelled'"):
        opened(folder, header, rows)
    rows[3] = rows[3].replace("train", "unlabelled")
    assert opened(folder, header, rows).unlabelled.ids == ("n3", "n10", "n11")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("photos/p3.jpg", "photos/p99.jpg"), r"t\.csv: 1 of 12 images are not below .*: photos/p99\.jpg"),
        (("masks/p3.png", "masks/p99.png"), r"t\.csv: 1 of 10 masks are not below .*: masks/p99\.png"),
        (
            ("photos/p3.jpg", "photos/p4.jpg"),
            r"t\.csv: photos/p4\.jpg is the image of row 5, and the image of row 6 too",
        ),
        (("masks/p3.png", "masks/p4.png"), r"t\.csv: masks/p4\.png is the mask of row 5, and the mask of row 6 too"),
        (("photos/p3.jpg", "../p3.jpg"), r"row 5, column 'image': '\.\./p3\.jpg' leads out of the image folder"),
        (("masks/p3.png", "photos/p3.jpg"), r"photos/p3\.jpg is the image of row 5, and the mask of row 5 too"),
        (("n3,", "N4,"), r"t\.csv, row 6: id 'n4' is already in row 5"),
        (("n3,", "n4,"), r"t\.csv, row 6: id 'n4' is already in row 5"),
        (("n3,", ","), r"t\.csv, row 5, column 'id': empty"),
        (("k3,train", "k3,hidden"), r"row 5, column 'split': 'hidden' is not train, val, test or unlabelled"),
        (("k3,train", "k8,train"), r"1 patient is in both the train and the test split: k8"),
        ((",21,", ",old,"), r"row 5, column 'age': 'old' is not an age"),
    ],
)
def test_rows_that_are_wrong(folder: Path, wrong: tuple[str, str], message: str):
    header, rows = listed()
    assert wrong[0] in rows[3]
    rows[3] = rows[3].replace(*wrong)
    with pytest.raises(UserError, match=message):
        opened(folder, header, rows)


def test_tables_that_are_wrong(folder: Path):
    with pytest.raises(UserError, match="table: dataset csv needs the table of the images"):
        open_lesions(options("csv"))
    with pytest.raises(UserError, match=r"t\.csv: no column 'id' or 'image' names the images \(columns: size, age\)"):
        opened(folder, "size,age", ["1,2"])
    with pytest.raises(UserError, match=r"t\.csv has a header but no rows"):
        opened(folder, "id,age", [])
    with pytest.raises(UserError, match="no row is of the train split"):
        opened(folder, "image,split", ["photos/p1.jpg,test"])
    with pytest.raises(
        UserError, match=r"p1 \(masks/p1\.png or photos/p1\.jpg\); .* or write the path .* column 'image'"
    ):
        opened(folder, "image,age", ["p1,3"])
    with pytest.raises(UserError, match=r"nowhere\.csv cannot be read: No such file"):
        open_lesions(options("csv", table=folder / "nowhere.csv"))
    with pytest.raises(UserError, match="2 images of 2 patients cannot be split into train, val, test"):
        opened(folder, "image,age", ["photos/p1,3", "photos/p2,3"])


def test_the_table_has_unlabelled_images_already(folder: Path):
    write_table(folder / "t.csv", *listed())
    with pytest.raises(UserError, match=r"unlabelled: .*t\.csv has unlabelled images already"):
        open_lesions(options("csv", table=folder / "t.csv", unlabelled=folder))
