"""The ISIC challenges' layouts, and what is said where something is missing, twice or in the wrong place."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.catalogue import open_lesions
from prunecxr.studies.localization.lesions.dataset import LesionDataset
from tests.lesion_files import lesion, options, write_isic2017, write_lesions, write_picture, write_table

SPLITS = {"Training": range(20), "Validation": range(20, 26), "Test_v2": range(30, 40)}


def sizes(dataset: LesionDataset) -> list[int]:
    return [len(split) for split in (dataset.train, dataset.val, dataset.test)]


@pytest.fixture
def isic(tmp_path: Path) -> Path:
    write_isic2017(tmp_path, SPLITS)
    return tmp_path


def test_the_official_splits(isic: Path):
    dataset = open_lesions(options("isic2017", images=isic))
    assert (dataset.name, sizes(dataset), dataset.unlabelled, dataset.warnings) == ("isic2017", [20, 6, 10], None, ())
    train = dataset.train
    assert train.ids == tuple(f"ISIC_{number:07d}" for number in range(20))
    row = train.table.set_index("id").loc["ISIC_0000004"]
    assert (row["age"], row["sex"], row["diagnosis"]) == (24.0, "male", "seborrheic_keratosis")
    assert np.isnan(train.table["age"][5])
    image, mask = lesion(4)
    assert np.abs(train.images.read(4).astype(int) - image).mean() < 6
    assert np.array_equal(train.masks.read(4), mask > 0)


@pytest.mark.parametrize("nesting", ["as unzipped", "zips unzipped twice", "everything deeper", "metadata inside"])
def test_nestings(tmp_path: Path, nesting: str):
    root = tmp_path / "skin"
    write_isic2017(root / ("a/b" if nesting == "everything deeper" else ""), SPLITS, True, nesting == "metadata inside")
    if nesting == "zips unzipped twice":
        for folder in [path for path in root.iterdir() if path.is_dir()]:
            folder.rename(root / "moving")
            (root / folder.name).mkdir()
            (root / "moving").rename(root / folder.name / folder.name)
    (root / "__MACOSX").mkdir()
    write_picture(root / "__MACOSX" / "._ISIC_0000001.jpg", np.zeros((2, 2, 3), np.uint8))
    (root / ".hidden.csv").write_text("image_id,age\nx,999\n")
    dataset = open_lesions(options("isic2017", images=root))
    assert sizes(dataset) == [20, 6, 10]
    assert dataset.warnings == ()
    assert dataset.test.table["sex"].tolist()[:3] == ["female", "male", "unknown"]


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".JPEG", ".png", ".PNG"])
@pytest.mark.parametrize("mask_suffix", ["_segmentation.png", "_Segmentation.PNG", "_SEGMENTATION.jpg"])
def test_one_folder_and_names_in_any_case(tmp_path: Path, suffix: str, mask_suffix: str):
    ids = write_lesions(range(30), tmp_path, tmp_path, suffix, mask_suffix)
    write_table(tmp_path / "meta.csv", "image_id,age,sex", [f"{name.lower()},40,male" for name in ids])
    dataset = open_lesions(options("isic2017", images=tmp_path))
    assert sizes(dataset) == [21, 3, 6]
    assert set(dataset.train.table["sex"]) == {"male"}
    assert dataset.warnings == (
        "the val and test splits were drawn (split_seed 0): train 21, val 3, test 6 images",
        "patients are not known: images of one patient may be in two splits",
        f"no table below {tmp_path} tells the diagnosis",
    )
    for split in (dataset.train, dataset.val, dataset.test):
        for at in range(len(split)):
            assert (split.masks.read(at) == (lesion(int(split.ids[at][5:]))[1] > 0)).mean() > 0.97


def test_drawn_splits_follow_the_seed_and_the_patients(tmp_path: Path):
    ids = write_lesions(range(40), tmp_path / "images", tmp_path / "masks")
    write_table(tmp_path / "t.csv", "image,patient_id", [f"{name},p{at // 4}" for at, name in enumerate(ids)])
    first, again, other = (open_lesions(options("isic2017", images=tmp_path, split_seed=seed)) for seed in (1, 1, 2))
    assert first.test.ids == again.test.ids != other.test.ids
    splits = [set(split.subjects) for split in (first.train, first.val, first.test)]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 10
    assert "patients are not known" not in " ".join(first.warnings)


def test_only_validation_is_drawn_where_there_are_train_and_test(tmp_path: Path):
    write_isic2017(tmp_path, {"Training": range(20), "Test_v2": range(30, 40)})
    dataset = open_lesions(options("isic2017", images=tmp_path))
    assert sizes(dataset) == [18, 2, 10]
    assert "the val split was drawn" in dataset.warnings[0]


def test_missing_masks_are_named(isic: Path):
    for number in (3, 7):
        (isic / "ISIC-2017_Training_Part1_GroundTruth" / f"ISIC_{number:07d}_segmentation.png").unlink()
    with pytest.raises(UserError, match="2 of 20 train images have no mask below .*: ISIC_0000003, ISIC_0000007; "):
        open_lesions(options("isic2017", images=isic))


def test_no_masks_at_all(isic: Path):
    with pytest.raises(
        UserError, match="14 of 14 train images have no mask below .*; images names the folder that holds"
    ):
        open_lesions(options("isic2017", images=isic / "ISIC-2017_Training_Data"))


def test_an_image_twice(isic: Path):
    write_lesions([3], isic / "resized", None)
    with pytest.raises(
        UserError,
        match="1 image is there more than once below .*: ISIC-2017_Training_Data/ISIC_0000003.jpg and resized/ISIC_.*; "
        "images names a folder that holds one of them",
    ):
        open_lesions(options("isic2017", images=isic))


def test_a_mask_twice(isic: Path):
    folder = isic / "ISIC-2017_Training_Part1_GroundTruth"
    shutil.copy(folder / "ISIC_0000003_segmentation.png", folder / "ISIC_0000003_Segmentation.png")
    with pytest.raises(UserError, match="1 mask is there more than once"):
        open_lesions(options("isic2017", images=isic))


def test_an_image_without_its_row(isic: Path):
    table = isic / "ISIC-2017_Validation_Data_metadata.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    with pytest.raises(UserError, match=r"no row tells the age of 1 of 6 val images: ISIC_0000025; add their rows"):
        open_lesions(options("isic2017", images=isic))


def test_a_split_without_a_table_is_a_warning(isic: Path):
    (isic / "ISIC-2017_Test_v2_Data_metadata.csv").unlink()
    dataset = open_lesions(options("isic2017", images=isic))
    assert dataset.warnings == (
        "no table tells the age of the 10 test images",
        "no table tells the sex of the 10 test images",
    )
    assert dataset.test.table["age"].isna().all()
    assert set(dataset.test.table["sex"]) == {"unknown"}


def test_rows_and_masks_without_an_image_are_a_warning(isic: Path):
    (isic / "ISIC-2017_Training_Data" / "ISIC_0000003.jpg").unlink()
    dataset = open_lesions(options("isic2017", images=isic))
    assert dataset.warnings == (
        f"1 row is without an image below {isic}: isic_0000003",
        f"1 mask is without an image below {isic}: isic_0000003",
    )


def test_images_outside_of_the_splits(isic: Path):
    write_lesions([99], isic, isic)
    with pytest.raises(UserError, match="1 image is in no folder named after a split.*: ISIC_0000099.jpg"):
        open_lesions(options("isic2017", images=isic))


def test_no_training_images(tmp_path: Path):
    write_isic2017(tmp_path, {"Validation": range(6), "Test_v2": range(10, 20)})
    with pytest.raises(UserError, match=r"no folder of training images below .* \(there are val, test\)"):
        open_lesions(options("isic2017", images=tmp_path))


def test_empty_missing_and_forgotten_folders(tmp_path: Path):
    with pytest.raises(UserError, match=f"images: there is no PNG or JPEG image below {tmp_path}"):
        open_lesions(options("isic2017", images=tmp_path))
    with pytest.raises(UserError, match="images: there is no folder .*nowhere"):
        open_lesions(options("isic2017", images=tmp_path / "nowhere"))
    with pytest.raises(UserError, match="images: dataset isic2017 needs the folder"):
        open_lesions(options("isic2017"))
    with pytest.raises(UserError, match="dataset: unknown 'isic'; known: phantom, isic2017, isic2018, csv"):
        open_lesions(options("phantom").model_copy(update={"dataset": "isic"}))


def test_other_tables_are_left_alone_and_broken_ones_are_named(isic: Path):
    write_table(isic / "results.csv", "epoch,loss", ["1,0.5"])
    (isic / "notes.csv").write_bytes(b"\xff\xfe\x00 not a table")
    assert open_lesions(options("isic2017", images=isic)).warnings == ()
    write_table(isic / "meta_extra.csv", "image_id,age", ["ISIC_0000001,400"])
    with pytest.raises(UserError, match=r"meta_extra\.csv, row 2, column 'age': '400'"):
        open_lesions(options("isic2017", images=isic))


def test_empty_and_packed_tables(isic: Path):
    metadata = isic / "ISIC-2017_Training_Data_metadata.csv"
    with gzip.open(isic / "packed.csv.gz", "wt") as file:
        file.write(metadata.read_text())
    metadata.unlink()
    dataset = open_lesions(options("isic2017", images=isic))
    assert dataset.warnings == ()
    assert dataset.train.table["age"].notna().sum() == 16
    metadata.write_text("")
    with pytest.raises(UserError, match=r"ISIC-2017_Training_Data_metadata\.csv is empty"):
        open_lesions(options("isic2017", images=isic))
    metadata.unlink()
    (isic / "packed.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(UserError, match=r"packed\.csv\.gz cannot be read: Not a gzipped file"):
        open_lesions(options("isic2017", images=isic))


def test_what_is_passed_over_is_said(isic: Path, tmp_path_factory: pytest.TempPathFactory):
    data = isic / "ISIC-2017_Training_Data"
    (data / "ISIC_0000003.jpg").rename(data / "ISIC_0000003.bmp")
    outside = tmp_path_factory.mktemp("outside") / "ISIC_0000004.jpg"
    (data / "ISIC_0000004.jpg").rename(outside)
    (data / "ISIC_0000004.jpg").symlink_to(outside)
    assert open_lesions(options("isic2017", images=isic)).warnings == (
        f"2 rows are without an image below {isic}: isic_0000003, isic_0000004",
        f"2 masks are without an image below {isic}: isic_0000003, isic_0000004",
        f"links that lead out of {isic} are not followed: ISIC-2017_Training_Data/ISIC_0000004.jpg",
        "1 file is neither PNG nor JPEG: ISIC-2017_Training_Data/ISIC_0000003.bmp",
    )


@pytest.mark.parametrize("option", ["images", "unlabelled", "evaluate_on"])
def test_folders_that_are_not_there_are_named_by_their_option(isic: Path, option: str):
    with pytest.raises(UserError, match=f"^{option}: there is no folder .*nowhere"):
        open_lesions(options("isic2017", **{"images": isic, option: isic / "nowhere"}))


def test_links_that_lead_out_are_not_followed(isic: Path, tmp_path_factory: pytest.TempPathFactory):
    inside = tmp_path_factory.mktemp("root")
    (inside / "all").symlink_to(isic)
    with pytest.raises(UserError, match="no PNG or JPEG image .*; links that lead out of .* are not followed: all"):
        open_lesions(options("isic2017", images=inside))
    linked = tmp_path_factory.mktemp("other") / "link"
    linked.symlink_to(isic)
    assert sizes(open_lesions(options("isic2017", images=linked))) == [20, 6, 10]


# ISIC 2018


@pytest.fixture
def isic2018(tmp_path: Path) -> Path:
    root = tmp_path / "isic2018"
    ids = write_lesions(range(100, 130), root / "ISIC2018_Task3_Training_Input", None)
    folder = root / "ISIC2018_Task3_Training_GroundTruth"
    classes = ["1.0,0.0,0.0", "0.0,1.0,0.0", "0.0,0.0,1.0"]
    rows = [f"{name},{classes[at % 3]}" for at, name in enumerate(ids)]
    write_table(folder / "ISIC2018_Task3_Training_GroundTruth.csv", "image,MEL,NV,DF", rows)
    rows = [f"{name},HAM_{at // 2},histopathology" for at, name in enumerate(ids)]
    write_table(folder / "ISIC2018_Task3_Training_LesionGroupings.csv", "image,lesion_id,diagnosis_confirm_type", rows)
    return root


def test_isic2018_has_diagnoses_and_no_masks(isic2018: Path):
    dataset = open_lesions(options("isic2018", images=isic2018))
    assert dataset.train.masks is None
    assert set(dataset.train.table["diagnosis"]) == {"MEL", "NV", "DF"}
    splits = [set(split.subjects) for split in (dataset.train, dataset.val, dataset.test)]
    assert sum(map(len, splits)) == 15
    assert "no table below" in " ".join(dataset.warnings)


def test_classes_of_one_challenge_masks_of_the_other(isic2018: Path):
    """The weakly supervised setting: trained on ISIC 2018, evaluated on ISIC 2017's test images."""
    isic2017 = isic2018.parent / "isic2017"
    write_isic2017(isic2017, SPLITS)
    dataset = open_lesions(options("isic2018", images=isic2018, evaluate_on=isic2017))
    assert sizes(dataset) == [26, 4, 10]
    assert dataset.train.masks is None
    assert dataset.test.masks is not None
    assert dataset.test.ids[0] == "ISIC_0000030"
    write_lesions([30], isic2018 / "ISIC2018_Task3_Training_Input", None)
    table = isic2018 / "ISIC2018_Task3_Training_GroundTruth" / "ISIC2018_Task3_Training_GroundTruth.csv"
    table.write_text(table.read_text() + "ISIC_0000030,1,0,0\n")
    overlapping = open_lesions(options("isic2018", images=isic2018, evaluate_on=isic2017))
    assert "ISIC_0000030" not in {*overlapping.train.ids, *overlapping.val.ids}
    assert any(warning.startswith("1 image is in the test split of") for warning in overlapping.warnings)


# Unlabelled images


def test_unlabelled_images_of_another_folder(isic: Path, tmp_path_factory: pytest.TempPathFactory):
    further = tmp_path_factory.mktemp("further")
    write_lesions([1, 31, 200, 201], further, None)
    dataset = open_lesions(options("isic2017", images=isic, unlabelled=further))
    assert dataset.unlabelled is not None
    assert dataset.unlabelled.ids == ("ISIC_0000200", "ISIC_0000201")
    assert dataset.unlabelled.masks is None
    assert "2 of the unlabelled images are in the data set already, and left out" in dataset.warnings
    with pytest.raises(UserError, match="unlabelled: all images below .* are in the data set already"):
        open_lesions(options("isic2017", images=isic, unlabelled=isic / "ISIC-2017_Training_Data"))


def test_masks_put_aside(isic: Path):
    dataset = open_lesions(options("isic2017", images=isic, unlabelled_fraction=0.25))
    assert dataset.unlabelled is not None
    assert (len(dataset.train), len(dataset.unlabelled)) == (15, 5)
    assert dataset.unlabelled.masks is None
    assert not set(dataset.train.ids) & set(dataset.unlabelled.ids)
    at = dataset.train.ids.index("ISIC_0000004") if "ISIC_0000004" in dataset.train.ids else 0
    truth = lesion(int(dataset.train.ids[at][5:]))[1] > 0
    assert np.array_equal(dataset.train.masks.read(at), truth)
    with pytest.raises(UserError, match="unlabelled, unlabelled_fraction: give one of the two"):
        open_lesions(options("isic2017", images=isic, unlabelled_fraction=0.25, unlabelled=isic))


def test_real_lesions(test_data: Path):
    dataset = open_lesions(options("isic2017", images=test_data / "isic2017-256"))
    assert sizes(dataset) == [1050, 150, 300]
    assert len(dataset.warnings) == 2
    table = dataset.train.table
    assert set(table["diagnosis"]) == {"nevus", "melanoma", "seborrheic_keratosis"}
    assert set(table["sex"]) == {"male", "female", "unknown"}
    assert dataset.test.images.read(0).shape == (256, 256, 3)
    assert set(np.unique(dataset.test.masks.read(0))) == {0, 1}
