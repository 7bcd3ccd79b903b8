"""The reader study over a tracking store: forms out, answers in, every mistake named, nothing done twice."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from entrypoints import reader_export, reader_import
from prunecxr.errors import UserError
from prunecxr.options.command_line import parse
from prunecxr.options.recipe import to_recipe
from prunecxr.studies.readers import forms as readers
from prunecxr.studies.readers.answers import read_answers
from prunecxr.studies.readers.options import Answers, Draw
from prunecxr.studies.readers.sections.form import FORMAT
from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import fetch
from prunecxr.tracking.store import open_store
from tests.stored import client_of
from tests.studies.conftest import small

CLASSES = ("Hernia", "Edema", "No Finding")
SIDES = {"width": 90, "height": 70}


def options(**given: str) -> tuple[Draw, dict[str, str]]:
    """What the entry point makes of `--study=small --readers=2 --images_per_reader=6` and further options."""
    texts = {"study": "small", "readers": "2", "images_per_reader": "6", **given}
    own, others = parse(reader_export.DECLARATION, [f"--{name}={text}" for name, text in texts.items()])
    return own, others


def returned(folder: Path | str, **given: str) -> Answers:
    texts = {"answers": str(folder), "study": "small", **given}
    return parse(reader_import.DECLARATION, [f"--{name}={text}" for name, text in texts.items()])[0]


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> str:
    """One database for all tests here: each has an experiment of its own."""
    return f"sqlite:///{tmp_path_factory.mktemp('database') / 'mlflow.db'}"


@pytest.fixture
def store(database, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    return open_store(database, experiment=request.node.name)


@pytest.fixture
def analysed(store, tmp_path):
    """A store with an analysis of 40 images, 10 of them PIEs, and a folder with those images."""
    study = runs.create(store, "study", {names.STUDY: "small"}, name="small")
    with study.files() as folder:
        (folder / names.RECIPE).write_text(to_recipe(small()), encoding="utf-8")
    study.finish()
    runs.create(store, "variant", {names.STUDY: "small"}, name="v", parent=study.id).finish()
    analyse(store, study, "00000000000000aa")
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for i in range(40):
        pixels = rng.integers(0, 256, (SIDES["height"], SIDES["width"]), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{i:04d}.png")
    return store


def analyse(store, study, key: str) -> None:
    run = runs.create(store, "analysis", {names.KEY: key, names.STUDY: "small"}, name="a", parent=study.id)
    table = pd.DataFrame({"id": [f"{i:04d}" for i in range(40)], "subject_id": [f"{i // 2:03d}" for i in range(40)]})
    table["agreement"] = np.linspace(-1, 1, 40)
    table["is_pie"] = np.arange(40) < 10
    for i, name in enumerate(CLASSES):
        table[name] = (np.arange(40) % 3 == i).astype(int)
    table["top_dense"] = "Edema"
    with run.files() as folder:
        (folder / "tables").mkdir()
        table.to_csv(folder / "tables" / "pies.csv", index=False)
        pd.DataFrame({"class": CLASSES}).to_csv(folder / "tables" / "classes.csv", index=False)
    run.finish()


@pytest.fixture
def exported(analysed, capsys):
    """The store, the folder of the forms, and the key, after an export."""
    readers.export_forms(analysed, *options(images="pictures"))
    capsys.readouterr()
    (run,) = runs.search(analysed, {names.KIND: "reader_export"})
    path = fetch(run, "key.csv", Path())
    return analysed, path.parent / "forms", pd.read_csv(path, dtype={"id": str, "subject_id": str})


def content_of(page: str) -> dict:
    text = page.partition('<script type="application/json" id="content">')[2].partition("</script>")[0]
    return json.loads(text)


def export_of(store) -> str:
    return runs.search(store, {names.KIND: "reader_export"})[0].id


def answers_of(key: pd.DataFrame) -> list[dict]:
    return [{"item": item, "agree": "no" if is_pie else "yes", "quality": 2 + i % 3, "difficulty": 5 - i % 2}
            for i, (item, is_pie) in enumerate(zip(key["item"], key["is_pie"], strict=True))]  # fmt: skip


def save(path: Path, export: str, answers: list[dict], **changes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"format": FORMAT, "export": export, "answers": answers, **changes}), encoding="utf-8")
    return path


def test_an_export_is_blind_and_complete(exported):
    store, forms, key = exported
    assert sorted(path.name for path in forms.iterdir()) == [
        "images", "reader-01.csv", "reader-01.html", "reader-02.csv", "reader-02.html",
    ]  # fmt: skip
    assert list(key.columns) == ["reader", "position", "item", "id", "subject_id", "is_pie"]
    assert key.groupby("reader")["is_pie"].sum().tolist() == [3, 3]
    assert key["id"].is_unique
    for reader, own in key.groupby("reader"):
        page = (forms / f"reader-{reader:02d}.html").read_text(encoding="utf-8")
        content = content_of(page)
        assert [one["item"] for one in content["items"]] == own["item"].tolist()
        assert set(content) == {"format", "export", "study", "reader", "items"}
        assert set(content["items"][0]) == {"item", "labels", "png"}
        assert not any(f"{image_id}" in page.partition("png")[0] for image_id in own["id"])
        table = pd.read_csv(forms / f"reader-{reader:02d}.csv")
        assert table["item"].tolist() == own["item"].tolist()
        assert table[["agree", "quality", "difficulty"]].isna().all(axis=None)
        assert all((forms / path).is_file() for path in table["image"])
        expected = [CLASSES[int(image_id) % 3] for image_id in own["id"]]
        assert [one["labels"] for one in content["items"]] == [[name] for name in expected]
        assert table["labels"].tolist() == expected
    (run,) = runs.search(store, {names.KIND: "reader_export"})
    assert run.tags[names.PARENT] == runs.find(store, "study", {names.STUDY: "small"}).id


def test_images_are_those_of_the_files_at_their_full_size(exported, tmp_path):
    _, forms, key = exported
    for item, image_id in key[["item", "id"]].itertuples(index=False):
        with (
            Image.open(forms / "images" / f"{item}.png") as shown,
            Image.open(tmp_path / "pictures" / f"{image_id}.png") as original,
        ):
            assert np.array_equal(np.asarray(shown), np.asarray(original))
            assert not shown.info


def test_images_may_be_shrunk_and_come_from_the_data_set(analysed):
    readers.export_forms(analysed, *options(images="pictures", longest_side="64"))
    forms = fetch(runs.get(analysed, export_of(analysed)), "key.csv", Path()).parent / "forms"
    with Image.open(next((forms / "images").iterdir())) as image:
        assert image.size == (64, 50)
    with pytest.raises(
        UserError, match="12 of 12 images that were drawn are not in the test split of data set phantom"
    ):
        readers.export_forms(analysed, *options())
    Path("empty").mkdir()
    with pytest.raises(UserError, match="analysis: 12 of 12 images are not below empty"):
        readers.export_forms(analysed, *options(images="empty"))


def test_the_same_command_adds_nothing_another_seed_another_run(exported, capsys):
    store, *_ = exported
    readers.export_forms(store, *options(images="pictures"))
    assert "found: same analysis, same options" in capsys.readouterr().out
    assert len(runs.search(store, {names.KIND: "reader_export"})) == 1
    readers.export_forms(store, *options(images="pictures", reader_seed="1"))
    assert len(runs.search(store, {names.KIND: "reader_export"})) == 2
    analyse(store, runs.find(store, "study", {names.STUDY: "small"}), "00000000000000bb")
    readers.export_forms(store, *options(images="pictures"))
    assert len(runs.search(store, {names.KIND: "reader_export"})) == 3


def test_the_runs_that_mlflow_makes_become_the_export_and_the_import(analysed, monkeypatch):
    """`mlflow run` logs the options as it was given them; a second run of the same command points to the first."""
    client = client_of(analysed)
    for _ in range(2):
        own = client.create_run(analysed.experiment_id).info.run_id
        client.log_param(own, "reader_seed", "''")
        monkeypatch.setenv("MLFLOW_RUN_ID", own)
        readers.export_forms(open_store(analysed.uri), *options(images="pictures"))
        monkeypatch.delenv("MLFLOW_RUN_ID")
    (first,) = [run for run in runs.search(analysed, {names.KIND: "reader_export"}) if names.KEY in run.tags]
    assert first.params()["cfg/reader_seed"] == "0"
    assert first.id != own
    assert client.get_run(own).data.tags[names.FOUND] == first.id
    key = pd.read_csv(fetch(first, "key.csv", Path()), dtype={"id": str, "subject_id": str})
    path = save(Path("all.json"), first.id, answers_of(key))
    for _ in range(2):  # the newest run of the kind is the one that points to the export: it is passed over
        own = client.create_run(analysed.experiment_id).info.run_id
        client.log_param(own, "export_run", "''")
        monkeypatch.setenv("MLFLOW_RUN_ID", own)
        readers.import_answers(open_store(analysed.uri), returned(path))
        monkeypatch.delenv("MLFLOW_RUN_ID")
    made = [run for run in runs.search(analysed, {names.KIND: "reader_import"}) if names.KEY in run.tags]
    assert [run.params()["cfg/export_run"] for run in made] == [first.id]
    assert client.get_run(own).data.tags[names.FOUND] == made[0].id


def test_an_interrupted_export_is_continued(analysed, monkeypatch):
    real = readers.form_page
    monkeypatch.setattr(readers, "form_page", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        readers.export_forms(analysed, *options(images="pictures"))
    monkeypatch.setattr(readers, "form_page", real)
    readers.export_forms(analysed, *options(images="pictures"))
    (run,) = runs.search(analysed, {names.KIND: "reader_export"})
    assert run.status == "FINISHED"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"readers": "0"}, "option readers: '0' is not valid: input should be greater than or equal to 1"),
        ({"readers": "many"}, "option readers: 'many'"),
        ({"images_per_reader": "5"}, "images_per_reader: 5 cannot be halved"),
        ({"reader_seed": "-1"}, "option reader_seed: '-1'"),
        ({"readers": "4"}, "4 readers x 6 images take 12 PIEs, but the analysis has 10"),
        ({"images_per_reader": "40"}, "take 40 PIEs, but the analysis has 10"),
        ({"study": "other"}, "option study: no study 'other' in "),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(analysed, given, message):
    with pytest.raises(UserError, match=message):
        readers.export_forms(analysed, *options(images="pictures", **given))
    assert not runs.search(analysed, {names.KIND: "reader_export"})


def test_a_study_without_an_analysis(store):
    runs.create(store, "variant", {names.STUDY: "small"}, name="v").finish()
    with pytest.raises(UserError, match="'small' has no finished run of an analysis; make one with -e analyze"):
        readers.export_forms(store, *options())
    Path("a.json").write_text("{}")
    with pytest.raises(UserError, match="no finished run of the forms; make one with -e reader_export"):
        readers.import_answers(store, returned("a.json"))


def test_answers_come_back_into_the_study(exported, capsys):
    store, _, key = exported
    first, second = (key[key["reader"] == reader] for reader in (1, 2))
    save(Path("back/one.json"), export_of(store), answers_of(first))
    table = pd.DataFrame(answers_of(second)).assign(agree=lambda t: t["agree"].str.upper())
    table.to_csv("back/two.csv", index=False, sep=";", encoding="utf-8-sig")  # as a spreadsheet may save it
    readers.import_answers(store, returned("back"))
    said = capsys.readouterr().out
    assert "For PIEs, readers agree with their labels less" in said
    (run,) = runs.search(store, {names.KIND: "reader_import"})
    assert run.tags[names.PARENT] == runs.find(store, "study", {names.STUDY: "small"}).id
    folder = fetch(run, "reader_report.html", Path()).parent
    joined = pd.read_csv(folder / "tables" / "reader_answers.csv", dtype={"id": str})
    assert (joined["agree"] == 1 - joined["is_pie"].astype(int)).all()
    assert joined["id"].tolist() == key["id"].tolist()
    assert len(pd.read_csv(folder / "tables" / "reader_summary.csv")) == 3
    assert sorted(path.name for path in (folder / "figures").iterdir()) == ["readers.png", "readers.svg"]
    assert run.metrics()["mean_pie/agree"] == 0
    assert run.metrics()["kruskal_p/agree"] < 0.05
    assert "mixed_p/agree" not in run.metrics()  # reader and group determine every answer
    page = (folder / "reader_report.html").read_text(encoding="utf-8")
    assert "readers agree with their labels less" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    readers.import_answers(store, returned("back"))
    assert "found: same answers" in capsys.readouterr().out
    assert len(runs.search(store, {names.KIND: "reader_import"})) == 1


def test_incomplete_answers_are_admitted_on_demand_and_counted(exported, capsys):
    store, _, key = exported
    answers = answers_of(key[key["reader"] == 1])[:5]
    answers[0]["quality"] = None
    del answers[1]["difficulty"]
    path = save(Path("one.json"), export_of(store), answers)
    with pytest.raises(UserError, match="one.json, answer 1: item .* has no answer to 'quality'; allow_missing=true"):
        readers.import_answers(store, returned(path))
    readers.import_answers(store, returned(path, allow_missing="true"))
    said = capsys.readouterr().out
    assert "Reader 1: 1 of 6 images without any answer, 2 answered in part" in said
    assert "Reader 2: 6 of 6 images without any answer, 0 answered in part" in said
    (run,) = runs.search(store, {names.KIND: "reader_import"})
    page = fetch(run, "reader_report.html", Path()).read_text(encoding="utf-8")
    assert "6 of 6 images without any answer" in page
    assert "3 of 12 answered in full" in page


def test_which_export(exported):
    store, _, key = exported
    first = export_of(store)
    path = save(Path("all.json"), first, answers_of(key))
    readers.export_forms(store, *options(images="pictures", reader_seed="1"))
    with pytest.raises(UserError, match=f"all.json: answers of export run {first}, not of {export_of(store)}"):
        readers.import_answers(store, returned(path))
    readers.import_answers(store, returned(path, export_run=first, study=""))
    with pytest.raises(UserError, match=f"export_run: {first} belongs to study 'small', not 'other'"):
        readers.import_answers(store, returned(path, export_run=first, study="other"))
    (analysis,) = runs.search(store, {names.KIND: "analysis"})
    for wrong in ("nope", analysis.id):
        with pytest.raises(UserError, match=f"export_run: '{wrong}' is no finished run of -e reader_export"):
            readers.import_answers(store, returned(path, export_run=wrong))
    with pytest.raises(UserError, match="option allow_missing: 'maybe'"):
        readers.import_answers(store, returned(path, allow_missing="maybe"))


KEY = pd.DataFrame({"reader": [1, 1], "position": [1, 2], "item": ["BCD", "FGH"], "id": ["a", "b"],
                    "subject_id": ["p", "q"], "is_pie": [True, False]})  # fmt: skip
GOOD = "item,agree,quality,difficulty\nBCD,yes,3,4\nFGH,no,1,5\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("BCD", "XYZ"), "a.csv, row 2: item 'XYZ' is not of export run r"),
        (GOOD + "BCD,no,1,1\n", "a.csv, row 4: item BCD is answered in .*a.csv, row 2, too"),
        (GOOD.replace("no,1", "no,6"), "a.csv, row 3: item FGH: quality is '6', not 1 to 5"),
        (GOOD.replace("no,1", "no,2.5"), "quality is '2.5', not 1 to 5"),
        (GOOD.replace("3,4", "3,0"), "a.csv, row 2: item BCD: difficulty is '0', not 1 to 5"),
        (GOOD.replace("yes", "maybe"), "agree is 'maybe', not yes or no"),
        (GOOD.replace("no,1", "no,"), "a.csv, row 3: item FGH has no answer to 'quality'; allow_missing"),
        (GOOD.replace("no,1,5", ",,"), r"row 3: item FGH \(reader 1, image 2 of the form\) is not answered; 1 of 2"),
        (GOOD.replace("FGH,no,1,5\n", ""), r"item FGH \(reader 1, image 2 of the form\) is not answered; 1 of 2"),
        (GOOD.replace("FGH,no,1,5\n", "FGH\n"), "row 3: item FGH .* is not answered"),
        (GOOD.replace("quality", "kwality"), "a.csv, row 1: has no column quality; is it a filled-in form"),
        ("", "row 1: has no column item, agree, quality, difficulty"),
        ("item,agree,quality,difficulty\nBCD,,,\n", "holds no answer at all"),
        ('item,agree,quality,difficulty\n"' + "x" * 200_000, "is not valid CSV"),
    ],
)
def test_mistakes_in_a_table_name_file_and_row(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_answers([path], KEY, "r")
    assert str(path) in str(caught.value) or "FGH" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "is no file of answers saved by a form"),
        ('{"format": "other", "answers": []}', "is no file of answers"),
        (json.dumps({"format": FORMAT, "export": "r", "answers": 3}), "is no file of answers"),
        (json.dumps({"format": FORMAT, "export": "r", "answers": ["x"]}), "answer 1: is no answer"),
        (json.dumps({"format": FORMAT, "export": "r", "answers": [{}]}), "answer 1: item '' is not of export run r"),
        (
            json.dumps({"format": FORMAT, "export": "r", "answers": [{"item": "BCD", "quality": True}]}),
            "answer 1: item BCD: quality is 'True', not 1 to 5",
        ),
    ],
)
def test_mistakes_in_a_saved_file(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_answers([path], KEY, "r")


def test_spreadsheets_may_rewrite_a_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfItem ;AGREE;Quality;difficulty;notes\r\n BCD;Y;3.0;4;\xe4\r\n;;;;\r\nFGH;n;1;5\r\n")
    joined = read_answers([path], KEY, "r")
    assert joined[["agree", "quality", "difficulty"]].to_numpy().tolist() == [[1, 3, 4], [0, 1, 5]]


def test_an_empty_form_beside_the_saved_answers_does_no_harm(tmp_path):
    (tmp_path / "empty.csv").write_text("item,agree,quality,difficulty\nBCD,,,\nFGH,,,\n")
    (tmp_path / "full.csv").write_text(GOOD)
    assert read_answers(readers.find_files(str(tmp_path)), KEY, "r")["quality"].tolist() == [3, 1]


@pytest.mark.parametrize("answers", ["", " , ", "nowhere", "empty"])
def test_no_answers(tmp_path, monkeypatch, answers):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    with pytest.raises(UserError, match="option answers"):
        readers.find_files(answers)


def test_a_large_image_stays_as_it_is():
    from prunecxr.studies.readers.sections.form import as_png

    pixels = np.random.default_rng(0).integers(0, 256, (300, 200), dtype=np.uint8)
    with Image.open(io.BytesIO(as_png(pixels))) as image:
        assert np.array_equal(np.asarray(image), pixels)
