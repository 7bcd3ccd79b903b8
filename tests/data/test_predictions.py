"""Files of predictions made elsewhere: what is read, what is refused, and what each mistake says."""

from __future__ import annotations

import base64
import os
import pickle
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunecxr.data.imported import read_imported_labels
from prunecxr.data.labels import LabelTable, read_table
from prunecxr.data.predictions import PredictionReader, content_digest, find_predictions, table_fingerprint
from prunecxr.data.unpickling import read_pickled_table
from prunecxr.errors import UserError
from prunecxr.options.sections import DataOptions

LABELS = "id,Mass,Hernia,subj_id\na.png,1,0,1\nb.png,0,0,1\nc.png,1,1,2\n"
VALUES = np.array([[0.25, 0.5], [0.75, 0.125], [0.0, 1.0]])
IDS = ["a.png", "b.png", "c.png"]
TRUTH = ["Mass", "", "Mass|Hernia"]

# VALUES as float32 with TRUTH as `label` and an Int64Index, written by pandas 1.5.3 and NumPy 1.26 (protocols 2 and 4).
PANDAS_1 = (
    "eNp1k/lT00AUx9MWUIL3BYL3gQW1iiKiIkVEBCJF1ysenZ1NupAMadpvdjPIDJ3BH2jh3/If0900yOCxM8leb99+3ve93cy6dRZWmCi4tYgXli"
    "NW5eYMk2w2GcEY+o5MA9m83WEYBq2uRMjtO+GHkkchC0ShykK2wiNhTgc1d3WxPTPRsWtOA98Re/YmjcO6764GnDr6gIlON4yr9fW232ocSJ9F"
    "EVs3acTdWihkFLvSRFfbylQ+k10csIwtHHSpW6twV5g81AMT3XZGETsw7S7VB0z64Qh6mjhEcLiFIwRH81bGylq5Jo6lLityva5OHrez6sTyKE"
    "7sbLdwkuBU3sol3iZwulQqLfxULflZhsQZZ9vrtvsN3X5sTqp/0TCm1GdMGuliEb2eurmP4KxEv+NS6sS+Ci+k1BSB76o7ByxDsWRaOEdw3sq2"
    "cIHgotfpdXlJeJc8xXyZ4Ipmzmjmq14bc2kc1zTmdYLBXcwN3NiPWZTIOztlDLXTuMiEwLCt4XDT7klXNuZUYnyGW1zituMNaG00UYHgjia6Sz"
    "DSxL0y7uf/qIAK/8ZFwWGCmzTka3Rer5gY/b9ZavGggbE2UkWVHB7uhjuuw31E8FiHm9vCE29Q0U/kveEkmSnoU7szyazDA0wq6KKTuApV4WKq"
    "FDfxjGDa+zeFSjiPfFeByLHRlOZ5AzN57zfECw0xS/AyhZhLFffHMa8VXyCwlOLe3yXxytlRJdFn7LVM2mfTHou6IEoESxKvHS+hfUNAeBNvCd"
    "61H5uqRry3u1N1kqeJD8mcVrlkiWQfy7ATGZiUkcCnBj4nEtHlgK0IfGngq92rt4OgtiZoJa6remOS00Q2gfK2iJ3CL+JORHc=",
    "eNptUt9rFDEQ3t27rT8qliLqgeKDT/XBA6FUQe2pFbFdeoLvJWR3c5el2dySZKkHLZwPnneQt45/r06yd7jaBjaZbGbm+2a+mXV/vewEftntis"
    "qc6n42Uaw/UrRkYG99pIZ+8vYlPPsOF7Bju6QcK7BP2u6FNExJKnS/pJKOmdJg73wQk+z0uLljuH2wiiCiSPXfELBbpJZVkZ0KRlIX45zvy7qs"
    "pk32shamoErRKWYlimUTqY2qM+McY+8I9gbm9i6XkAQ/4CBM4Sd8hZ0kTKKkMwe+ZePcTCtXiY1Gu7BcNO8dG76B4XB49BuX35LAQLo46AXBbB"
    "87MwiCd/gF+02jZgPAZ3szrQukJZF/rEWRMQ+MWKFLm0Ru55v8Lt92dPi9NZnQk+nZ6MurNoXz/ygMEGN54tp9TDViBGA3nXX+GbtWUGD4zp+6"
    "0tqAc3AhvX+lydk3pvsp1SjobSLZGTl0/5Avf23jte2lzVFuuMq5g5fnjg1/YTdWBGwsaMqEJ2K70o3IsJ67ot/aR9cRQJ2YKjLkcCjN3m4Ll7"
    "+/HhKbVLSaxB9fVWnpVGpWuDqj1elU4kcNJ+Y2nFzUH4faVbkecFIyQ33ZJ1gSNQZH9wLsBhkJOvbmQyrE5EyTvK5QZmoY8YVrWOg67f8Bw489"
    "Xg==",
)


@pytest.fixture
def table(tmp_path: Path) -> LabelTable:
    path = tmp_path / "test.csv"
    path.write_text(LABELS, encoding="utf-8")
    return read_table(path)


def frame(values: np.ndarray = VALUES, **columns: list) -> pd.DataFrame:
    return pd.DataFrame(values, columns=["Mass", "Hernia"]).assign(**columns)


def write(path: Path, content: pd.DataFrame | bytes) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        how = {".pkl": content.to_pickle, ".parquet": content.to_parquet, ".csv": content.to_csv}[path.suffix]
        how(path, **({} if path.suffix == ".pkl" else {"index": False}))
    return path


def folder_of(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def complaint(call, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_are_found_by_name(tmp_path):
    names = [f"nih-cxr-lt_resnet50_seed-{s}_prune-{k}.pkl" for s in (0, 11) for k in ("0", "0.05", "0.9")]
    found = find_predictions(
        folder_of(tmp_path / "p", *names, "nih-cxr-lt_resnet50_seed-0_prune-0_val.pkl", "notes.txt")
    )
    assert (found.seeds, found.sparsities) == ((0, 11), (0.0, 0.05, 0.9))
    assert [file.path.name for file in found.files] == names
    (warning,) = found.warnings
    assert "prune-0_val.pkl" in warning
    assert "notes" not in warning


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "no file in .* is named .*seed-<seed>_prune-<sparsity>.* (there is: none with these endings)"),
        (("a.csv",), "(there is: a.csv)"),
        (("seed-0_prune-0.pkl",), "only dense predictions"),
        (("seed-0_prune-0.5.pkl",), "no dense predictions (prune-0)"),
        (("seed-0_prune-0.csv", "seed-0_prune-90.csv"), "seed-0_prune-90.csv: sparsity 90 is not a fraction"),
        (
            ("a_seed-0_prune-0.pkl", "b_seed-0_prune-0.0.csv", "seed-0_prune-0.5.pkl"),
            "a_seed-0_prune-0.pkl, b_seed-0_prune-0.0.csv are all of seed 0 at sparsity 0; keep one",
        ),
        (
            ("seed-0_prune-0.pkl", "seed-0_prune-0.5.pkl", "seed-1_prune-0.pkl", "seed-3_prune-0.5.pkl"),
            "2 file(s) missing in the grid of 3 seed(s) x 2 sparsities: (seed 1, sparsity 0.5), (seed 3, sparsity 0)",
        ),
    ],
)
def test_mistakes_in_the_folder(tmp_path, names, message):
    said = complaint(find_predictions, folder_of(tmp_path / "p", *names))
    for part in message.split(".*"):
        assert part in said


def test_the_first_ten_missing_are_named(tmp_path):
    names = [f"seed-0_prune-0.{k}.pkl" for k in range(10, 30)] + ["seed-0_prune-0.pkl", "seed-1_prune-0.pkl"]
    said = complaint(find_predictions, folder_of(tmp_path / "p", *names))
    assert "20 file(s) missing" in said
    assert "(seed 1, sparsity 0.19) and 10 more" in said


def test_no_folder(tmp_path):
    assert "there is no folder" in complaint(find_predictions, tmp_path / "none")


def test_every_layout_gives_the_same_numbers(tmp_path, table):
    reader = PredictionReader(table)
    shuffled = frame(id=IDS).iloc[[2, 0, 1]]
    files = [
        write(tmp_path / "order.pkl", frame()),
        write(tmp_path / "label.pkl", frame(label=TRUTH)),
        write(tmp_path / "single.pkl", frame(VALUES.astype(np.float32))),
        write(tmp_path / "columns.pkl", frame()[["Hernia", "Mass"]]),
        write(tmp_path / "id.pkl", shuffled),
        write(tmp_path / "id.csv", shuffled),
        write(tmp_path / "patient.csv", shuffled.assign(subj_id=[2, 1, 1])),
        write(tmp_path / "truth.csv", shuffled.assign(label=["Mass|Hernia", "Mass", ""])),
        write(tmp_path / "id.parquet", shuffled),
        write(tmp_path / "single.parquet", shuffled.astype({"Mass": "float32"})),
    ]
    shuffled.set_index("id").to_parquet(tmp_path / "index.parquet")
    (tmp_path / "semicolon.csv").write_text(shuffled.to_csv(sep=";", index=False), encoding="utf-8")
    for path in [*files, tmp_path / "index.parquet", tmp_path / "semicolon.csv"]:
        values = reader.read(path)
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, VALUES, err_msg=path.name)
    assert len({content_digest(reader.read(path)) for path in files}) == 1


@given(st.permutations(range(3)))
@settings(max_examples=6, deadline=None)
def test_the_order_of_rows_does_not_matter_where_there_are_ids(tmp_path_factory, order):
    folder = tmp_path_factory.mktemp("p")
    (folder / "test.csv").write_text(LABELS, encoding="utf-8")
    path = write(folder / "p.parquet", frame(id=IDS).iloc[list(order)])
    np.testing.assert_array_equal(PredictionReader(read_table(folder / "test.csv")).read(path), VALUES)


def test_numbers_of_csv_files_are_read_to_the_last_bit(tmp_path, table):
    values = np.random.default_rng(0).random((3, 2))
    path = write(tmp_path / "p.csv", frame(values, id=IDS))
    np.testing.assert_array_equal(PredictionReader(table).read(path), values)


@pytest.mark.parametrize("content", PANDAS_1, ids=["protocol2", "protocol4"])
def test_pickles_of_old_pandas(tmp_path, table, content):
    path = write(tmp_path / "p.pkl", zlib.decompress(base64.b64decode(content)))
    np.testing.assert_array_equal(PredictionReader(table).read(path), VALUES)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("storage", ["python", "pyarrow", "object"])
def test_pickles_of_this_pandas(tmp_path, table, protocol, storage):
    path = tmp_path / "p.pkl"
    if storage == "object":
        made = frame(label=TRUTH).astype({"label": object})
        made.columns = made.columns.astype(object)
        made.to_pickle(path, protocol=protocol)
    else:
        with pd.option_context("mode.string_storage", storage):
            frame(label=TRUTH).set_index(pd.Index([5, 3, 4])).to_pickle(path, protocol=protocol)
    np.testing.assert_array_equal(PredictionReader(table).read(path), VALUES)


class Malicious:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def names_of_danger() -> list[tuple[bytes, str]]:
    """Pickles that name something dangerous, by hand: protocol 0 `c module name`."""
    dangerous = [
        ("posix", "system"), ("builtins", "eval"), ("builtins", "exec"), ("builtins", "getattr"), ("builtins", "open"),
        ("subprocess", "Popen"), ("importlib", "import_module"), ("pandas", "read_pickle"), ("pandas", "eval"),
        ("numpy", "load"), ("pickle", "loads"), ("operator", "attrgetter"), ("functools", "partial"),
        ("pandas.io.common", "os.system"), ("pandas", "io.common.os.system"), ("numpy", "ndarray.tofile"),
    ]  # fmt: skip
    return [(f"c{module}\n{name}\n.".encode(), f"refused: {module}.{name};") for module, name in dangerous]


@pytest.mark.parametrize(("content", "message"), names_of_danger())
def test_names_that_no_table_needs_are_refused(tmp_path, content, message):
    path = write(tmp_path / "p.pkl", content)
    assert message in complaint(read_pickled_table, path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_of_a_malicious_pickle_runs(tmp_path, protocol):
    victim = tmp_path / "victim"
    victim.touch()
    for content in (
        Malicious(os.remove, str(victim)),
        {"table": frame(), "more": Malicious(os.system, f"rm {victim}")},
        frame().assign(label=[Malicious(exec, f"open({str(victim)!r}, 'w').write('x')"), 1, 2]),
    ):
        path = tmp_path / "p.pkl"
        path.write_bytes(pickle.dumps(content, protocol))
        said = complaint(read_pickled_table, path)
        assert "refused: " in said
        assert str(path) in said
        assert victim.read_text() == ""


def test_a_module_that_is_refused_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "trap_module.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    path = write(tmp_path / "p.pkl", b"ctrap_module\nDataFrame\n.")
    assert "refused: trap_module.DataFrame" in complaint(read_pickled_table, path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.pkl", b"Mass,Hernia\n", "cannot be read as a pickled pandas table"),
        ("p.pkl", b"", "cannot be read as a pickled pandas table"),
        ("p.pkl", pickle.dumps([1, 2]), "holds a list, not a pandas DataFrame"),
        ("p.pkl", frame(VALUES[:2]), "2 rows, but .*test.csv has 3; without an id column"),
        ("p.pkl", frame(label=TRUTH[::-1]), "row 1 (image 'a.png'): its column 'label' says 'Mass|Hernia', "),
        ("p.pkl", frame()[["Mass"]], "no column for Hernia"),
        ("p.pkl", frame().rename(columns={"Hernia": "Mass"}), "two columns are named Mass"),
        ("p.pkl", frame(Edema=[0.0, 0.0, 0.0]), "column(s) that are no class there: Edema"),
        ("p.pkl", frame().replace(0.125, 1.5), "row 2 (image 'b.png'), class 'Hernia': 1.5 is not a probability"),
        ("p.pkl", frame(-VALUES), "(5 such values)"),
        ("p.pkl", frame().astype(str), "column 'Mass' does not hold numbers"),
        ("p.parquet", b"id,Mass,Hernia\n", "not a Parquet file"),
        ("p.parquet", frame(), "no id column 'id'; there are: Mass, Hernia"),
        ("p.parquet", frame(id=["a.png", "b.png", "x.png"]), "1 id(s) that .*test.csv does not have: x.png"),
        ("p.parquet", frame(id=["a.png", "b.png", "a.png"]), "id(s) in several rows: a.png"),
        ("p.parquet", frame(id=IDS).iloc[:2], "no row for 1 image(s) of .*: c.png"),
        ("p.parquet", frame(id=IDS).replace(0.125, np.nan), "row 2 (image 'b.png'), class 'Hernia': nan is not"),
        ("p.csv", b"PAR1\xff\xfe", "not a CSV table of predictions"),
        ("p.csv", b"", "not a CSV table of predictions"),
        ("p.csv", b"id,Mass,Hernia\na.png,x,0\nb.png,0,0\nc.png,0,0\n", "not a CSV table of predictions"),
        (
            "p.csv",
            b"id,Mass,Hernia\na.png,0,0\nb.png,,0\nc.png,0,0\n",
            "row 3 (image 'b.png'), class 'Mass': nan is not",
        ),
        ("p.csv", frame(VALUES * 2, id=IDS).iloc[::-1], "row 2 (image 'c.png'), class 'Hernia': 2 is not"),
        ("p.csv", b"id,Mass,Hernia\na.png,0\n", "not a CSV table of predictions"),
    ],
)
def test_mistakes_in_a_file(tmp_path, table, name, content, message):
    path = write(tmp_path / name, content)
    said = complaint(PredictionReader(table).read, path)
    for part in [str(path), *message.split(".*")]:
        assert part in said


def test_columns_are_named_by_options(tmp_path, table):
    path = write(tmp_path / "p.csv", frame(key=IDS, who=[1, 2, 3]))
    assert "no class there: key, who" in complaint(PredictionReader(table).read, path)
    reader = PredictionReader(table, "key", ("who",))
    np.testing.assert_array_equal(reader.read(path), VALUES)
    assert "no id column 'key'" in complaint(reader.read, write(tmp_path / "q.csv", frame(id=IDS)))


def test_a_label_column_that_names_no_classes_is_ignored(tmp_path, table):
    path = write(tmp_path / "p.pkl", frame(label=["x", "y", "z"]))
    np.testing.assert_array_equal(PredictionReader(table).read(path), VALUES)


def test_fingerprints_follow_the_content(tmp_path, table):
    other = tmp_path / "other.csv"
    other.write_text(LABELS, encoding="utf-8")
    assert table_fingerprint(read_table(other)) == table_fingerprint(table)
    other.write_text(LABELS.replace("b.png,0", "b.png,1"), encoding="utf-8")
    assert table_fingerprint(read_table(other)) != table_fingerprint(table)
    assert content_digest(VALUES) != content_digest(VALUES[::-1])


def test_labels_alone(table):
    known = read_imported_labels(Path(table.source), None, DataOptions())
    assert known.counts.to_dict("list") == {"class": ["Mass", "Hernia"], "test_count": [2, 1], "n_test": [3, 3]}
    assert any("Training frequencies are unknown" in warning for warning in known.warnings)


def test_labels_with_a_training_table(tmp_path, table):
    train = tmp_path / "train.csv"
    train.write_text("id,Hernia,Mass,subj_id\nx.png,1,0,7\ny.png,1,1,8\n", encoding="utf-8")
    known = read_imported_labels(Path(table.source), train, DataOptions())
    assert known.test.classes == ("Hernia", "Mass")
    assert known.test.labels.tolist() == [[0, 1], [0, 0], [1, 1]]
    assert known.counts["train_count"].tolist() == [2, 1]
    assert set(known.counts["n_train"]) == {2}
    assert not any("unknown" in warning for warning in known.warnings)


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("class,count\nHernia,5\nMass,70\n", None),
        ("class,train_count,n_train\nMass,70,200\nHernia,5,200\n", 200),
        ("class,train,val\nMass,70,1\nHernia,5,1\n(images),200,9\n", 200),
    ],
)
def test_labels_with_class_counts(tmp_path, table, text, images):
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    known = read_imported_labels(Path(table.source), path, DataOptions())
    assert known.counts["train_count"].tolist() == [70, 5]
    assert known.counts.get("n_train", pd.Series([None])).iloc[0] == images


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,count\nMass,70\n", "no row for Hernia"),
        ("class,count\nMass,70\nHernia,5\nEdema,1\n", "row(s) for Edema"),
        ("class,count\nMass,70\nHernia,few\n", "row 3, column 'count': 'few' is not a number"),
        ("class,count\nMass,70\nHernia,5\nMass,70\n", "two rows"),
    ],
)
def test_mistakes_in_class_counts(tmp_path, table, text, message):
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    said = complaint(read_imported_labels, Path(table.source), path, DataOptions())
    assert str(path) in said
    assert message in said


def test_labels_that_are_no_file(tmp_path):
    assert "is a folder; give the table itself" in complaint(read_imported_labels, tmp_path, None, DataOptions())
    assert "option labels" in complaint(read_imported_labels, tmp_path / "x", None, DataOptions())
