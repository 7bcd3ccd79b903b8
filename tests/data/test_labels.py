from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunecxr.data.labels import read_table
from prunecxr.data.splits import class_warnings, find_split_files, read_splits
from prunecxr.errors import UserError

GOOD = "id,Mass,No Finding,subj_id\n1_0.png,1,0,1\n1_1.png,0,1,1\n2_0.png,0,1,2\n"


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def write_splits(folder: Path, **tables: str) -> dict[str, Path]:
    return {split: write(folder / f"labels_{split}.csv", text) for split, text in tables.items()}


def small(prefix: str, header: str = "id,Mass,Edema,subj_id", cells: str = "1,0") -> str:
    return f"{header}\n{prefix}0.png,{cells},{prefix}\n"


def test_reads_ids_subjects_labels_in_the_order_of_the_file(tmp_path: Path):
    table = read_table(write(tmp_path / "t.csv", GOOD))
    assert table.ids.tolist() == ["1_0.png", "1_1.png", "2_0.png"]
    assert table.subjects.tolist() == ["1", "1", "2"]
    assert table.classes == ("Mass", "No Finding")
    assert table.labels.dtype == np.uint8
    assert table.labels.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert table.files is None
    assert table.counts() == {"Mass": 1, "No Finding": 2}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD.encode("utf-8-sig"), id="byte order mark"),
        pytest.param(GOOD.replace("\n", "\r\n").encode(), id="windows line ends"),
        pytest.param(GOOD.replace(",", ";").encode(), id="semicolons"),
        pytest.param(GOOD.replace(",", "\t").encode(), id="tabs"),
        pytest.param(gzip.compress(GOOD.encode()), id="gzip"),
        pytest.param(GOOD.replace("\n1_1", "\n\n1_1").encode() + b"\n\n", id="blank lines"),
        pytest.param(GOOD.replace(",1,0,", ", 1.0 ,0.0,").encode(), id="labels as decimals, spaces"),
        pytest.param(GOOD.replace("Mass", '"Mass"').encode(), id="quotes"),
    ],
)
def test_the_dialects_of_csv_read_alike(tmp_path: Path, content: bytes):
    table = read_table(write(tmp_path / "t.csv", content))
    assert table.classes == ("Mass", "No Finding")
    assert table.labels.tolist() == [[1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize("id_name", ["id", "image", "image_id", "Image Index", "filename", "path", "dicom_id"])
@pytest.mark.parametrize("subject_name", ["subj_id", "subject_id", "patient_id", "Patient ID"])
def test_recognises_id_and_subject_columns(tmp_path: Path, id_name: str, subject_name: str):
    table = read_table(write(tmp_path / "t.csv", f"{subject_name},Mass,{id_name}\np1,1,a.png\n"))
    assert (table.ids.tolist(), table.subjects.tolist(), table.classes) == (["a.png"], ["p1"], ("Mass",))


def test_named_columns_win_over_recognised_ones(tmp_path: Path):
    path = write(tmp_path / "t.csv", "id,picture,who,patient,Mass\n7,a.png,ann,x,1\n")
    table = read_table(path, id_column="picture", subject_column="who")
    assert (table.ids.tolist(), table.subjects.tolist(), table.classes) == (["a.png"], ["ann"], ("Mass",))


def test_metadata_is_no_class(tmp_path: Path):
    text = "id,Mass,age,Sex,View Position,Follow-up #,study_id,subj_id\na.png,1,61,F,PA,3,s1,p\n"
    assert read_table(write(tmp_path / "t.csv", text)).classes == ("Mass",)


def test_metadata_that_looks_like_a_class_is_mentioned(tmp_path: Path):
    table = read_table(write(tmp_path / "t.csv", "id,Mass,view,subj_id\na.png,1,0,p\n"))
    assert table.classes == ("Mass",)
    assert "column 'view' is taken for metadata" in table.warnings[0]


def test_the_columns_of_nih_metadata_with_unquoted_commas_are_no_classes(tmp_path: Path):
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    header += ",OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],y"
    path = write(tmp_path / "t.csv", header + "\na.png,Mass|Nodule,0,7,61,F,PA,2500,2048,0.171,0.171,1\n")
    assert read_table(path).classes == ("y",)


def test_a_column_without_a_name_is_ignored_with_a_warning(tmp_path: Path):
    table = read_table(write(tmp_path / "t.csv", ",id,Mass,subj_id\n0,a.png,1,p\n"))
    assert table.classes == ("Mass",)
    assert table.warnings == ("t.csv: 1 column is without a name, and ignored",)


def test_label_map_gives_other_values_a_meaning(tmp_path: Path):
    path = write(tmp_path / "t.csv", "id,Mass,Edema,subj_id\na,-1.0,,p\nb,1,0,p\nc,-1,nan,p\n")
    table = read_table(path, label_map={"-1": 1, "blank": 0})
    assert table.labels.tolist() == [[1, 0], [1, 0], [1, 0]]


def test_subject_column_none_makes_each_image_a_patient_and_warns(tmp_path: Path):
    table = read_table(write(tmp_path / "t.csv", "id,Mass\na,1\nb,0\n"), subject_column="none")
    assert table.subjects.tolist() == ["a", "b"]
    assert "every image counts as its own patient" in table.warnings[0]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("path,subject_id,Mass", "files/p10/p10000032/s50414267/02aa.jpg,10000032,1"),
        ("dicom_id,subject_id,study_id,Mass", "02aa,10000032,50414267,1"),
        ("dicom_id,subject_id,study_id,path,Mass", "02aa,10000032,50414267,p10/p10000032/s50414267/02aa.jpg,1"),
        ("id,subject_id,Mass", "p10\\p10000032\\s50414267\\02aa.jpg,10000032,1"),
    ],
)
def test_mimic_paths_from_a_path_or_from_its_parts(tmp_path: Path, header: str, row: str):
    table = read_table(write(tmp_path / "t.csv", f"{header}\n{row}\n"))
    assert table.files is not None
    assert table.files.tolist() == ["p10/p10000032/s50414267/02aa.jpg"]
    assert table.classes == ("Mass",)


BAD = {
    "empty file": ("", "t.csv is empty"),
    "header only": ("id,Mass,subj_id\n", "t.csv has a header but no rows"),
    "not a table": ("hello\nworld\n", "t.csv is not a CSV table with a header of several columns; it begins 'hello'"),
    "open quote": ('id,Mass,subj_id\na,1,p\nb,"1,p\n', "t.csv, row 3: not a CSV table"),
    "latin-1": ("id,Maß,subj_id\na,1,p\n".encode("latin-1"), "t.csv, row 1: not UTF-8 text"),
    "latin-1 later": ("id,Mass,subj_id\na,1,p\nü,1,p\n".encode("latin-1"), "t.csv, row 3: not UTF-8 text"),
    "utf-16": ("id,Mass,subj_id\n".encode("utf-16"), "t.csv, row 1: not UTF-8 text"),
    "binary": (b"id,Mass\0\n", "t.csv is not a CSV table: it holds binary data"),
    "cut gzip": (gzip.compress(GOOD.encode())[:-9], "t.csv is a damaged gzip file"),
    "short row": ("id,Mass,subj_id\na,1,p\nb,1\n", "t.csv, row 3: 2 cells, but the header has 3 columns"),
    "two names": ("id,Mass,Mass,subj_id\na,1,1,p\n", "t.csv: two columns are named 'Mass'"),
    "no id": ("key,Mass,subj_id\na,1,p\n", "no column is known to hold the image id; name it with id_column=NAME"),
    "no subject": ("id,Mass\na,1\n", "the patient id; name it with subject_column=NAME, or subject_column=none"),
    "no class": ("id,age,subj_id\na,61,p\n", "t.csv: no class column"),
    "blank id": ("id,Mass,subj_id\na,1,p\n,1,p\n", "t.csv, row 3, column 'id': empty"),
    "blank subject": ("id,Mass,subj_id\na,1,\n", "t.csv, row 2, column 'subj_id': empty"),
    "id twice": ("id,Mass,subj_id\na,1,p\nb,1,p\na,0,p\n", "t.csv, row 4: id 'a' is already in row 2"),
    "label 2": ("id,Mass,subj_id\na,1,p\nb,2,p\n", "t.csv, row 3, column 'Mass': the label is '2', it must be 0 or 1"),
    "label -1": ("id,Mass,subj_id\na,-1.0,p\nb,-1,p\n", '(2 such rows in this column); say what it means'),
    "label blank": ("id,Mass,subj_id\na,,p\n",
                    'the label is blank, it must be 0 or 1; say what it means with label_map, '
                    'for example label_map="blank:0", or leave the column out with ignore_columns="Mass"'),
    "label word": ("id,Mass,subj_id\na,yes,p\n", 'label_map="yes:0"'),
    "label 0.5": ("id,Mass,subj_id\na,0.5,p\n", "the label is '0.5'"),
    "after a line break in a cell": ('id,Mass,site,subj_id\na,1,"x\ny",p\nb,7,x,p\n', "t.csv, row 4, column 'Mass'"),
    "parent": ("id,Mass,subj_id\n../x.png,1,p\n", "row 2, column 'id': '../x.png' leads out of the image folder"),
    "hidden parent": ("path,Mass,subj_id\na/../../x.png,1,p\n", "row 2, column 'path': 'a/../../x.png' leads out"),
    "no label at all": ("id,Mass,kV,subj_id\na,1,80,p\nb,1,81,p\nc,1,82,p\nd,1,83,p\n",
                        "t.csv, row 2, column 'kV': the label is '80', it must be 0 or 1 (4 such rows in this column); "
                        'leave the column out with ignore_columns="kV"'),
    "absolute path": ("id,path,Mass,subj_id\na.png,/data/a.png,1,p\n",
                      "'/data/a.png' is not relative; it must start at the image folder (option images), or leave the "
                      'column out with ignore_columns="path"'),
    "absolute": ("id,Mass,subj_id\n/etc/x.png,1,p\n", "'/etc/x.png' is not relative"),
    "drive": ("id,Mass,subj_id\nC:\\x.png,1,p\n", "is not relative"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_bad_tables_are_refused_with_file_and_place(tmp_path: Path, content: str | bytes, message: str):
    with pytest.raises(UserError) as error:
        read_table(write(tmp_path / "t.csv", content))
    assert message in str(error.value)
    assert "t.csv" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("option", ["id_column", "subject_column"])
def test_a_named_column_that_is_not_there(tmp_path: Path, option: str):
    with pytest.raises(UserError, match=f"no column 'nope' \\({option}\\); there are: id, Mass, No Finding, subj_id"):
        read_table(write(tmp_path / "t.csv", GOOD), **{option: "nope"})


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(UserError, match=r"t\.csv cannot be read: No such file"):
        read_table(tmp_path / "t.csv")


@given(
    labels=st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=1, max_size=20),
    order=st.permutations(range(5)),
)
def test_any_column_order_reads_the_same_labels(
    tmp_path_factory: pytest.TempPathFactory, labels: list[list[int]], order: list[int]
):
    header = ["id", "A", "B", "C", "subj_id"]
    lines = [[header[at] for at in order]]
    lines += [[str([f"i{n}", *row, f"p{n}"][at]) for at in order] for n, row in enumerate(labels)]
    path = write(tmp_path_factory.mktemp("t") / "t.csv", "\n".join(",".join(line) for line in lines))
    table = read_table(path)
    by_name = dict(zip(table.classes, table.labels.T.tolist(), strict=True))
    assert by_name == dict(zip("ABC", (list(column) for column in zip(*labels, strict=True)), strict=True))


@pytest.mark.parametrize(
    "names",
    [
        ("labels_train.csv", "labels_val.csv", "labels_test.csv"),
        ("miccai2023_nih-cxr-lt_labels_train.csv", "miccai2023_nih-cxr-lt_labels_val.csv", "x_test.csv.gz"),
        ("Train.CSV", "validation.csv", "TestLabels.csv"),
        ("train2017.csv", "dev2017.csv", "test2017.csv"),
        ("nihtrain.csv", "nihvalid.csv", "nihtest.csv"),
    ],
)
def test_split_tables_are_found_by_name(tmp_path: Path, names: tuple[str, str, str]):
    for name in (*names, "Data_Entry_2017_v2020.csv", "train_val_list.csv", ".labels_train.csv", "train_notes.txt"):
        write(tmp_path / name, "x")
    files = find_split_files(str(tmp_path))
    assert tuple(files) == ("train", "val", "test")
    assert tuple(path.name for path in files.values()) == names


def test_split_tables_as_three_files(tmp_path: Path):
    files = write_splits(tmp_path, train="x", val="x", test="x")
    assert find_split_files(", ".join(map(str, files.values()))) == files


def test_a_folder_without_a_table_says_what_is_there(tmp_path: Path):
    write_splits(tmp_path, train="x", test="x")
    with pytest.raises(UserError, match=r"holds no val table.*\(there is: labels_test\.csv, labels_train\.csv\)"):
        find_split_files(str(tmp_path))


def test_two_candidates_are_listed(tmp_path: Path):
    write_splits(tmp_path, train="x", val="x", test="x")
    write(tmp_path / "old_test.csv", "x")
    with pytest.raises(UserError, match=r"more than one test table: labels_test\.csv, old_test\.csv; give three files"):
        find_split_files(str(tmp_path))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("/no/such/folder", "labels: there is no folder /no/such/folder"),
        ("a.csv,b.csv", "labels: give a folder or three files train,val,test, not 2: a.csv,b.csv"),
        ("a.csv,b.csv,c.csv", "labels: there is no train table a.csv"),
    ],
)
def test_labels_that_name_nothing(labels: str, message: str):
    with pytest.raises(UserError) as error:
        find_split_files(labels)
    assert str(error.value) == message


def test_the_same_file_twice(tmp_path: Path):
    path = write(tmp_path / "a.csv", GOOD)
    with pytest.raises(UserError, match="the same file is given for two splits"):
        find_split_files(f"{path},{path},{write(tmp_path / 'b.csv', GOOD)}")


def test_classes_come_in_the_order_of_the_train_table(tmp_path: Path):
    files = write_splits(
        tmp_path,
        train=small("1"),
        val=small("2", "id,Edema,Mass,subj_id"),
        test=small("3", "id,Mass,Edema,age,subj_id", "1,0,60"),
    )
    tables = read_splits(files)
    assert {table.classes for table in tables.values()} == {("Mass", "Edema")}
    assert [table.labels.tolist() for table in tables.values()] == [[[1, 0]], [[0, 1]], [[1, 0]]]


def test_different_classes_are_named(tmp_path: Path):
    files = write_splits(tmp_path, train=small("1"), val=small("2"), test=small("3", "id,Mass,Hernia,subj_id"))
    with pytest.raises(UserError) as error:
        read_splits(files)
    assert "labels_train.csv: 'Edema'" in str(error.value)
    assert "labels_test.csv: 'Hernia'" in str(error.value)


def test_an_image_in_two_splits(tmp_path: Path):
    files = write_splits(tmp_path, train=small("1"), val=small("2"), test=small("1").replace(",1\n", ",9\n"))
    with pytest.raises(UserError, match=r"1 image is in both the train and the test table: 10\.png"):
        read_splits(files)


@pytest.mark.parametrize("spelling", ["1", "0001", "1.0"])
def test_a_patient_in_two_splits_even_if_spelled_otherwise(tmp_path: Path, spelling: str):
    files = write_splits(tmp_path, train=small("1"), val=small("2"), test=small("3").replace(",3\n", f",{spelling}\n"))
    with pytest.raises(UserError, match="1 patient is in both the train and the test table: 1; split by patient"):
        read_splits(files)


def test_long_lists_are_cut_and_counted(tmp_path: Path):
    rows = "".join(f"{{0}}{n}.png,1,0,{n}\n" for n in range(30))
    texts = ["id,Mass,Edema,subj_id\n" + rows.replace("{0}", split) for split in ("a", "b", "c")]
    with pytest.raises(UserError, match=r"^30 patients are in both .* and 20 more;"):
        read_splits(write_splits(tmp_path, train=texts[0], val=texts[1], test=texts[2]))


def test_ignored_columns_may_be_missing_in_some_tables_but_not_in_all(tmp_path: Path):
    files = write_splits(
        tmp_path, train=small("1", "id,Mass,junk,subj_id", "1,x"), val=small("2", "id,Mass,subj_id", "1")
    )
    assert read_splits(files, ignore_columns=["junk"])["train"].classes == ("Mass",)
    with pytest.raises(
        UserError, match="ignore_columns: no table has a column 'jnk'; there are: id, Mass, junk, subj_id"
    ):
        read_splits(files, ignore_columns=["jnk"])


def test_classes_without_positives_or_negatives_are_warned_of(tmp_path: Path):
    tables = read_splits(write_splits(tmp_path, train=small("1"), test=small("3", cells="0,1")))
    assert class_warnings(tables) == [
        "no positive image in the train split: Edema",
        "only positive images in the train split: Mass",
        "no positive image in the test split: Mass",
        "only positive images in the test split: Edema",
    ]


def test_the_published_test_table_reads_as_published(test_data: Path):
    table = read_table(test_data / "nih-cxr-lt" / "miccai2023_nih-cxr-lt_labels_test.csv")
    assert len(table) == 21081
    assert len(set(table.subjects)) == 2307
    assert len(table.classes) == 20
    assert table.counts()["Hernia"] == 62


@pytest.mark.parametrize("name", ["is_pie", "agreement", "..", "x" * 201])
def test_class_names_that_the_results_cannot_carry_are_refused(tmp_path: Path, name: str):
    table = write(tmp_path / "t.csv", f"id,Mass,{name},subj_id\n1.png,1,0,1\n")
    with pytest.raises(UserError, match="rename it"):
        read_table(table)
