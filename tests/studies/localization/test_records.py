"""Tables about lesions: which columns are understood, and what is said of cells that are not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from prunecxr.errors import UserError
from prunecxr.studies.localization.lesions.records import Records, image_key
from tests.lesion_files import write_table


def read(tmp_path: Path, header: str, *rows: str, **how) -> Records:
    write_table(tmp_path / "t.csv", header, rows, **how)
    records = Records()
    records.add(tmp_path / "t.csv")
    return records


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image_id,age_approximate,sex", "ISIC_1,55,female"),
        ("isic_id,age_approx,sex", "ISIC_1,55.0,F"),
        ("image,patient age,Gender", "ISIC_1.jpg,055Y,Female"),
        ("id;age;sex", "ISIC_1;55;woman"),
        ("id\tage\tsex", "isic_1.PNG\t 55 \tFEMALE"),
    ],
)
def test_ages_and_sexes(tmp_path: Path, header: str, row: str):
    table = read(tmp_path, header, row).table(["ISIC_1"])
    assert table.iloc[0].to_dict() == {"id": "ISIC_1", "subject": "ISIC_1", "age": 55, "sex": "female", "diagnosis": ""}


@pytest.mark.parametrize("how", [{"encoding": "utf-8-sig"}, {"end": "\r\n"}, {"encoding": "utf-8-sig", "end": "\r\n"}])
def test_tables_as_spreadsheets_write_them(tmp_path: Path, how: dict):
    table = read(tmp_path, "image_id,age,sex", "a,30,male", "b,,", **how).table(["a", "b"])
    assert table["age"].tolist()[0] == 30
    assert math.isnan(table["age"].tolist()[1])
    assert table["sex"].tolist() == ["male", "unknown"]


@pytest.mark.parametrize("unknown", ["unknown", "", "NaN", "N/A", "None", "null"])
def test_unknown_stays_unknown(tmp_path: Path, unknown: str):
    table = read(tmp_path, "id,age,sex,dx", f"a,{unknown},{unknown},{unknown}").table(["a"])
    assert math.isnan(table["age"].item())
    assert (table["sex"].item(), table["diagnosis"].item()) == ("unknown", "")


@pytest.mark.parametrize("age", ["-5", "150", "old", "5 months"])
def test_ages_that_are_none(tmp_path: Path, age: str):
    with pytest.raises(UserError, match=rf"t\.csv, row 3, column 'age': '{age}' is not an age in years \(0 to 120\)"):
        read(tmp_path, "id,age", "a,30", f"b,{age}")


def test_sexes_that_are_not_understood(tmp_path: Path):
    with pytest.raises(UserError, match=r"t\.csv, row 2, column 'sex': '1' is not male, female or unknown"):
        read(tmp_path, "id,sex", "a,1")
    records = read(tmp_path, "id,sex", "a,other", "b,male")
    assert records.table(["a"])["sex"].item() == "unknown"
    assert records.warnings == ["t.csv: sex is 'other' in 1 rows: counted as unknown"]


def test_diagnoses_by_name_and_by_column(tmp_path: Path):
    assert read(tmp_path, "id,dx,age", "a,mel,1").table(["A"])["diagnosis"].item() == "mel"
    one_hot = read(tmp_path, "image,MEL,NV,BCC", "a,0.0,1.0,0.0", "b,1.0,0.0,0.0", "c,0.0,0.0,0.0")
    assert one_hot.table(["a", "b", "c"])["diagnosis"].tolist() == ["NV", "MEL", ""]
    binary = read(tmp_path, "image,malignant", "a,1", "b,0")
    assert binary.table(["a", "b"])["diagnosis"].tolist() == ["malignant", "not malignant"]
    isic2017 = read(tmp_path, "image_id,melanoma,seborrheic_keratosis", "a,1.0,0.0", "b,0,1", "c,0.0,0.0")
    assert isic2017.table(["a", "b", "c"])["diagnosis"].tolist() == ["melanoma", "seborrheic_keratosis", "nevus"]


def test_two_diagnoses_of_one_lesion(tmp_path: Path):
    with pytest.raises(UserError, match=r"row 3: 2 diagnoses \(MEL, BCC\); a lesion has one"):
        read(tmp_path, "image,MEL,NV,BCC", "a,0,1,0", "b,1,0,1")


def test_patients_or_lesions_hold_images_together(tmp_path: Path):
    assert read(tmp_path, "image,lesion_id", "a,L1", "b,L1", "c,").table(["a", "b", "c"])["subject"].tolist() == [
        "L1",
        "L1",
        "c",
    ]
    assert read(tmp_path, "image,lesion_id,patient_id", "a,L1,P1").table(["a"])["subject"].item() == "P1"


def test_a_row_twice(tmp_path: Path):
    with pytest.raises(UserError, match=r"t\.csv, row 4: id 'a' is already in row 2"):
        read(tmp_path, "id,age", "a,1", "b,2", "a,3")
    with pytest.raises(UserError, match="row 3: id 'a' is already in row 2"):
        read(tmp_path, "id,age", "a,1", "A.jpg,2")


def test_tables_that_contradict_each_other(tmp_path: Path):
    records = read(tmp_path, "id,age,sex", "a,30,male", "b,unknown,male")
    write_table(tmp_path / "same.csv", "image_id,age", ["a,30", "b,unknown"])
    records.add(tmp_path / "same.csv")
    write_table(tmp_path / "other.csv", "image_id,age", ["a,31"])
    with pytest.raises(
        UserError, match=r"other\.csv, row 2: age of 'a' is '31.0', but '30.0' in .*t\.csv, row 2; remove one of the"
    ):
        records.add(tmp_path / "other.csv")


def test_what_is_no_table_of_images(tmp_path: Path):
    with pytest.raises(UserError, match=r"t\.csv: no column is known to hold the image id \(columns: size, age\)"):
        read(tmp_path, "size,age", "1,2")
    with pytest.raises(UserError, match=r"t\.csv has a header but no rows"):
        read(tmp_path, "id,age")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(UserError, match=r"empty\.csv is empty"):
        Records().add(tmp_path / "empty.csv")


def test_image_keys():
    assert image_key("ISIC_0000001.JPG") == image_key("isic_0000001") == "isic_0000001"
    assert image_key("a.b.jpeg") == "a.b"
