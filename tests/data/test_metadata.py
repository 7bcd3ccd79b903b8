"""Age, sex, view and declared columns of label tables, and of tables beside them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from prunecxr.data import phantom
from prunecxr.data.labels import LabelTable
from prunecxr.data.metadata import open_metadata
from prunecxr.data.phantom_thorax import CHOICES, Choices
from prunecxr.data.splits import read_splits
from prunecxr.errors import UserError

HEAD = "Image Index,Mass,Patient ID"
ROWS = ("a_0.png,1,00000007", "a_1.png,0,00000007", "b_0.png,0,00000009")
NIH = ("Patient Age,Patient Gender,View Position", ["058Y,M,PA", "411,f,ap", ",Female,PA"])
MIMIC = ("anchor_age,gender,ViewPosition", ["58,M,PA", "300,F,AP", "nan,F,PA"])


def read(
    folder: Path, extra: tuple[str, list[str]] = ("", []), beside: dict[str, str] | None = None, **options: object
):
    """The test table with further columns, read with further tables beside it."""
    head, cells = extra
    rows = [f"{row},{cell}" if cell else row for row, cell in zip(ROWS, cells or [""] * 3, strict=True)]
    files = {"test": folder / "test.csv"}
    files["test"].write_text("\n".join([f"{HEAD},{head}" if head else HEAD, *rows]), encoding="utf-8")
    for name, text in (beside or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    named = ",".join(str(folder / name) for name in beside) if beside else None
    given = {"metadata": (), "metadata_table": named, "id_column": None, "subject_column": None, **options}
    return read_splits(files, metadata=open_metadata(SimpleNamespace(**given)))["test"]


def shown(table: LabelTable) -> dict[str, list]:
    return {name: ["" if value != value else value for value in column] for name, column in table.metadata.items()}


@pytest.mark.parametrize("extra", [NIH, MIMIC], ids=["nih", "mimic"])
def test_age_sex_and_view_are_recognised_and_are_no_classes(tmp_path: Path, extra) -> None:
    table = read(tmp_path, extra)
    assert table.classes == ("Mass",)
    assert shown(table) == {"age": [58.0, "", ""], "sex": ["M", "F", "F"], "view": ["PA", "AP", "PA"]}
    assert table.warnings == ("test.csv: 1 age is above 120 years, or not a number, and counted as missing",)


@pytest.mark.parametrize(
    ("cell", "years"),
    [("006M", 0.5), ("058Y", 58), ("3 years", 3), ("90+", 90), (">89", 89), ("58.0", 58), ("40-50", None), ("-1", None),
     ("121", None), ("0", 0), ("026W", 26 * 7 / 365.25), ("old", None)],
)  # fmt: skip
def test_ages_as_tables_write_them(tmp_path: Path, cell: str, years: float | None) -> None:
    (age, *_) = read(tmp_path, ("age", [cell, "1", "2"])).metadata["age"]
    assert np.isnan(age) if years is None else age == pytest.approx(years)


def test_a_table_without_metadata_has_none(tmp_path: Path) -> None:
    table = read(tmp_path)
    assert table.metadata == {}
    assert table.warnings == ()


def test_declared_columns_are_metadata_under_their_own_names(tmp_path: Path) -> None:
    table = read(tmp_path, ("ward,Gender", ["1,M", "0,F", "NA,"]), metadata=("ward", "Gender"))
    assert table.classes == ("Mass",)
    assert shown(table) == {"sex": ["M", "F", ""], "ward": ["1", "0", ""]}
    with pytest.raises(UserError, match=r"metadata: no table has a column 'wrad' \(there are test.csv: Image Index, "):
        read(tmp_path, metadata=("wrad",))


def test_tables_beside_are_joined_by_image_or_by_patient(tmp_path: Path) -> None:
    beside = {
        "images.csv": "id,view\nx/b_0,AP\na_0,PA\n",
        "people.csv": "subject_id,gender,anchor_age\n7,F,60\n9,M,61\n",
    }
    table = read(tmp_path, beside=beside)
    assert shown(table) == {"age": [60.0, 60.0, 61.0], "sex": ["F", "F", "M"], "view": ["PA", "", "AP"]}
    assert table.warnings == ("images.csv: 1 image is not in it, and without its metadata",)


def test_the_label_table_comes_first(tmp_path: Path) -> None:
    table = read(tmp_path, ("sex", ["M", "M", "F"]), beside={"people.csv": "patient,sex\n7,F\n9,M\n"})
    assert shown(table) == {"sex": ["M", "M", "F"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,view\nz,AP\ny,PA\n", "knows none of the images by its column 'id'"),
        ("colour,view\nz,AP\ny,PA\n", "has neither a column of image ids nor one of patients"),
        ("id,view\na_0,AP\na_0,PA\n", "row 3: id 'a_0' is already in row 2"),
    ],
)
def test_tables_that_cannot_be_joined(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, beside={"beside.csv": text})


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="metadata_table: there is no file /nowhere.csv"):
        read(tmp_path, metadata_table="/nowhere.csv")


def test_only_test_images_of_the_phantom_have_metadata_and_their_view_is_the_drawn_one(monkeypatch) -> None:
    tables = phantom.phantom_tables(50, 50, 80, seed=3)
    assert [bool(table.metadata) for table in tables.values()] == [False, False, True]
    test = tables["test"]
    assert set(test.metadata["sex"]) == {"M", "F"}
    assert 1 <= test.metadata["age"].min() < 40 < 55 < test.metadata["age"].max() <= 95
    for column in ("age", "sex"):  # all images of a patient are of one person
        of = dict(zip(test.subjects, test.metadata[column], strict=True))
        assert [of[subject] for subject in test.subjects] == test.metadata[column].tolist()
    enlarged = []

    def breathe(thorax, choices: Choices) -> None:
        before = thorax.heart_width
        original(thorax, choices)
        enlarged.append(thorax.heart_width > before)

    original = phantom._breathe
    monkeypatch.setattr(phantom, "_breathe", breathe)
    images = phantom.PhantomImages(test, 32, seed=3)
    for index in range(20):
        images.read(index)
    assert ["AP" if one else "PA" for one in enlarged] == test.metadata["view"][:20].tolist()
    assert phantom.SUPINE_AT < CHOICES
