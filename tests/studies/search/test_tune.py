"""A search in one process: what it leaves in the store, that nothing finished is done again, and its errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from prunecxr.errors import Diverged, EnvironmentFault, UserError
from prunecxr.learning.classification import Epoch
from prunecxr.learning.loop import Session
from prunecxr.options.recipe import build_config, read_recipe
from prunecxr.studies.pruning import material
from prunecxr.studies.pruning import task as training
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.study import train
from prunecxr.studies.search import workers
from prunecxr.studies.search.ledger import ledger
from prunecxr.studies.search.options import TuneOptions
from prunecxr.studies.search.tune import tune
from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import fetch
from tests.stored import client_of
from tests.studies.conftest import SMALL

SPACE = {
    "learning_rate": {"low": 0.0005, "high": 0.02, "log": True},
    "schedule": ["constant", "cosine"],
    "flip": [True, False],
}


def searching(space=SPACE, **changes: str) -> Config:
    """The small study with a search, its own options among the trials."""
    return build_config(Config, {"search": space}, {**SMALL, **changes})


def options(**given: str) -> TuneOptions:
    return build_config(TuneOptions, {}, {"trials": "4", **given}, "options of tune")


def trial_runs(store):
    found = runs.search(store, {names.KIND: "trial"})
    return {int(run.tags[names.TRIAL]): run for run in found}


def study_of(store, config):
    (run,) = runs.search(store, {names.KIND: "tune"})
    return workers.open_study(workers.open_storage(config, run.id, None), config.study)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A network that trains in no time; what it learns is not at issue here."""
    monkeypatch.setitem(SMALL, "epochs", "2")
    monkeypatch.setitem(SMALL, "image_size", "32")


def test_a_search_from_its_trials_to_the_study_of_its_best_recipe(store, capsys, monkeypatch):
    config = searching()
    # The test split's images must not even be looked at.
    opened = material.open_dataset

    def closed(data):
        dataset = opened(data)
        return replace(dataset, test=replace(dataset.test, images=None))

    with monkeypatch.context() as patch:
        patch.setattr(material, "open_dataset", closed)
        tune(store, config, options())
    said = capsys.readouterr().out
    assert "search small: " in said
    assert "(4 now, 0 found)" in said

    (run,) = runs.search(store, {names.KIND: "tune"})
    assert run.status == "FINISHED"
    assert {"trials_complete", "trials_pruned", "trials_failed", "best_trial"} <= set(run.metrics())
    folder = fetch(run, "best.yaml", Path()).parent
    assert {path.name for path in (folder / "tables").iterdir()} == {"trials.csv"}
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"report: {folder / 'report.html'}" in said
    assert page.count("<figure ") == len(drawn)
    assert f"Run</dt><dd>{run.id}" in page
    table = pd.read_csv(folder / "tables" / "trials.csv")
    assert table["trial"].tolist() == [0, 1, 2, 3]
    assert table["own"].tolist() == [True, False, False, False]
    assert table["learning_rate"][0] == config.training.learning_rate
    if (table["state"] == "complete").sum() >= 2:
        assert drawn == {"history", "importances", "slice", "parallel_coordinate"}

    children = trial_runs(store)
    assert sorted(children) == [0, 1, 2, 3]
    for row in table.itertuples():
        child = children[row.trial]
        assert child.status == "FINISHED"
        assert child.tags[names.PARENT] == run.id
        assert child.tags[names.TRIAL_STATE] == row.state
        assert child.tags[names.RUN_NAME] == names.trial_run_name(row.trial) + (
            " (pruned)" if row.state == "pruned" else ""
        )
        assert child.metrics()[names.BEST_VAL_MEAN_AP] == pytest.approx(row.mean_ap)
        assert child.params()["cfg/learning_rate"] == f"{row.learning_rate:g}"
        assert child.params()["cfg/schedule"] == row.schedule
        history = client_of(store).get_metric_history(child.id, "val_mean_ap")
        assert [metric.step for metric in history] == list(range(row.epochs))
        assert {"train_loss", "val_loss", "val_mean_auroc"} <= set(child.metrics())

    # The recipe is complete, says where it is from, and its first seed is the best trial, bit for bit.
    text = (folder / "best.yaml").read_text(encoding="utf-8")
    assert text.startswith("# The outcome of the search 'small': the options of trial ")
    assert run.id in text
    assert "search" not in yaml.safe_load(text)
    best = build_config(Config, read_recipe(folder / "best.yaml"), {})
    winner = table[table["state"] == "complete"].sort_values("mean_ap").iloc[-1]
    assert best.study == "small-tuned"
    assert best.training.learning_rate == winner["learning_rate"]
    assert best.model_copy(update={"study": "small", "training": config.training, "search": config.search}) == config
    train(store, best, 0)
    (seed_run,) = runs.search(store, {names.KIND: "seed"})
    epochs = client_of(store).get_metric_history(seed_run.id, "val_mean_ap")
    reached = {metric.step: metric.value for metric in epochs}[seed_run.metrics()["best_epoch"]]
    assert reached == winner["mean_ap"]

    # Again: nothing is trained, nothing is added. More trials: only those.
    def fail(*_, **__):
        raise AssertionError("trained again")

    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", fail)
        tune(store, config, options())
    assert "(0 now, 4 found)" in capsys.readouterr().out
    tune(store, config, options(trials="5"))
    assert "(1 now, 4 found)" in capsys.readouterr().out
    assert sorted(trial_runs(store)) == [0, 1, 2, 3, 4]
    assert len(runs.search(store, {names.KIND: "tune"})) == 1

    # What the trials share must not change under the same name.
    for changed, what in (
        (searching({**SPACE, "flip": [False, True]}), "search: section"),
        (searching(phantom_seed="1"), "train split, val split"),
        (searching(weight_decay="0.5"), "training options"),
        (searching(seeds="5,6"), "first seed"),
    ):
        with pytest.raises(UserError, match=f"search 'small' was begun with other {what};"):
            tune(store, changed, options())
    assert len(ledger(study_of(store, config).get_trials())) == 5


def faked(values):
    """A training that takes no time: the scores of its epochs are given, by trial."""

    def fit(*given, **_):
        session: Session = given[-1]
        for number, value in enumerate(values[int(session.desc.split()[1])]):
            if isinstance(value, Exception):
                raise value
            scores = {"val_loss": 1.0, "val_mean_ap": value, "val_mean_auroc": value}
            session.on_epoch(Epoch(epoch=number, train_loss=1.0, learning_rate=0.1, seconds=0.5, **scores))

    return fit


def test_options_that_do_not_train_are_pruned_and_what_breaks_is_tried_again(store, monkeypatch, capsys):
    values = [[0.2, 0.3], [Diverged("training diverged in epoch 1")], [RuntimeError("out of memory")], [0.35, 0.4]]
    monkeypatch.setattr(training, "fit", faked(values))
    tune(store, searching(), options())
    said = capsys.readouterr().out
    assert "trial 1: no epoch, pruned, training diverged in epoch 1" in said
    assert "1 failed, each tried again in vain" in said.replace("trial(s) ", "")
    assert "the last one: RuntimeError: out of memory" in said
    assert "best: trial 3, validation mean AP 0.4000" in said
    assert "the recipe's own options: trial 0, complete, validation mean AP 0.3000" in said
    states = {index: (run.tags[names.TRIAL_STATE], run.status) for index, run in trial_runs(store).items()}
    assert states == {
        0: ("complete", "FINISHED"), 1: ("pruned", "FINISHED"), 2: ("failed", "FAILED"), 3: ("complete", "FINISHED"),
    }  # fmt: skip
    (run,) = runs.search(store, {names.KIND: "tune"})
    table = pd.read_csv(fetch(run, "tables/trials.csv", Path()))
    assert table["attempts"].tolist() == [1, 1, 3, 1]
    assert trial_runs(store)[1].tags[names.ERROR] == "training diverged in epoch 1"
    assert trial_runs(store)[2].tags[names.ERROR] == "RuntimeError: out of memory"
    assert table["error"].tolist()[1:3] == ["training diverged in epoch 1", "RuntimeError: out of memory"]


def test_hyperband_gives_up_what_lags_behind(store, monkeypatch, capsys):
    config = searching(epochs="9")
    values = [[0.5 + epoch / 100 - index / 20 for epoch in range(9)] for index in range(10)]
    monkeypatch.setattr(training, "fit", faked(values))
    tune(store, config, options(trials="10"))
    (run,) = runs.search(store, {names.KIND: "tune"})
    table = pd.read_csv(fetch(run, "tables/trials.csv", Path()))
    pruned = table[table["state"] == "pruned"]
    assert len(pruned) == 7
    assert set(pruned["epochs"]) == {1, 3}  # the rungs below nine epochs
    assert (table.loc[table["state"] == "complete", "epochs"] == 9).all()
    assert "pruned after epoch 1 of 9" in capsys.readouterr().out


def test_a_setting_that_was_tried_before_is_not_trained_again(store, monkeypatch):
    config = searching({"flip": [True, False]})
    calls = []
    fit = faked([[0.3, 0.3]] * 6)
    monkeypatch.setattr(training, "fit", lambda *args, **kwargs: calls.append(1) or fit(*args, **kwargs))
    tune(store, config, options(trials="6"))
    (run,) = runs.search(store, {names.KIND: "tune"})
    table = pd.read_csv(fetch(run, "tables/trials.csv", Path()))
    assert len(calls) == 2
    assert table["same_as"].notna().sum() == 4
    assert table["mean_ap"].tolist() == [0.3] * 6


def test_a_trial_whose_run_was_left_behind_is_settled(store, monkeypatch):
    """Killed after Optuna knew the value and before the run said so; or carried out for a store of another host."""
    monkeypatch.setattr(training, "fit", faked([[0.2, 0.3], [0.25, 0.1], [0.26, 0.2]]))
    tune(store, searching(), options(trials="2"))
    children = trial_runs(store)
    client_of(store).update_run(children[0].id, "RUNNING")
    client_of(store).set_tag(children[0].id, names.TRIAL_STATE, "running")
    client_of(store).delete_run(children[1].id)
    tune(store, searching(), options(trials="3"))
    children = trial_runs(store)
    assert {run.status for run in children.values()} == {"FINISHED"}
    assert children[0].tags[names.TRIAL_STATE] == "complete"
    assert children[1].metrics()[names.BEST_VAL_MEAN_AP] == 0.25
    history = client_of(store).get_metric_history(children[1].id, names.BEST_VAL_MEAN_AP)
    assert sorted(metric.step for metric in history) == [0, 0, 1]  # of each epoch, and of the trial


def test_own_options_outside_the_search_are_told(store, monkeypatch, capsys):
    monkeypatch.setattr(training, "fit", faked([[0.2, 0.3]] * 2))
    tune(store, searching({"learning_rate": {"low": 0.02, "high": 0.1}}), options(trials="2"))
    said = capsys.readouterr().out
    assert "the recipe's own options are not among the trials: learning_rate=0.01 is not in the search" in said
    assert "the recipe's own options: trial" not in said


def test_the_best_epoch_is_the_one_that_training_keeps(store, monkeypatch):
    """By val_auc here; the mean AP of another epoch may be higher, but its weights would be gone."""

    def fit(*given, **_):
        session: Session = given[-1]
        for number, (ap, auroc) in enumerate([(0.5, 0.6), (0.4, 0.8), (0.6, 0.7)]):
            scores = {"val_loss": 1.0, "val_mean_ap": ap, "val_mean_auroc": auroc}
            session.on_epoch(Epoch(epoch=number, train_loss=1.0, learning_rate=0.1, seconds=0.5, **scores))

    monkeypatch.setattr(training, "fit", fit)
    tune(store, searching(epochs="3"), options(trials="1"))
    run = trial_runs(store)[0]
    assert (run.metrics()[names.BEST_VAL_MEAN_AP], run.metrics()["best_epoch"]) == (0.4, 1)


@pytest.mark.parametrize(
    ("config", "given", "kind", "message"),
    [
        (searching({}), {}, UserError, "the recipe has no search: section"),
        (searching(), {"trials": "0"}, UserError, "option trials: '0' is not valid"),
        (searching(), {"trials": "many"}, UserError, "option trials: 'many' is not valid"),
        (searching(), {"workers": "0"}, UserError, "option workers: '0' is not valid"),
        (searching(), {"timeout": "-1"}, UserError, "option timeout: '-1' is not valid"),
        (searching(), {"timeout": "0.000001"}, UserError, r"no trial was completed \(0 complete, 0 pruned, 0 failed\)"),
        (searching(), {"storage": "here"}, UserError, "option storage: this is no database URL"),
        (searching(), {"storage": "postgresql://127.0.0.1:1/x"}, EnvironmentFault, "option storage: postgresql"),
        (searching({"architecture": ["resnet18", "resnet19"]}), {}, UserError, "has no classifier 'resnet19'"),
        (searching({"weights": ["none", "nowhere.pt"]}), {}, UserError, "option weights: 'nowhere.pt' is no file"),
    ],
)
def test_mistakes_are_named(store, config, given, kind, message):
    with pytest.raises(kind, match=message) as caught:
        tune(store, config, options(**given))
    assert "\n" not in str(caught.value)
    assert not runs.search(store, {names.KIND: "trial"})


def test_no_trial_completed_says_why(store, monkeypatch):
    monkeypatch.setattr(training, "fit", faked([[Diverged("training diverged: the loss is nan")]] * 2))
    with pytest.raises(UserError, match=r"no trial was completed \(0 complete, 2 pruned, 0 failed\).*the loss is nan"):
        tune(store, searching(), options(trials="2"))
    assert {run.tags[names.TRIAL_STATE] for run in trial_runs(store).values()} == {"pruned"}
    (run,) = runs.search(store, {names.KIND: "tune"})
    assert run.status == "FAILED"


def test_a_validation_split_without_positives_is_named(store, monkeypatch):
    monkeypatch.setattr(training, "fit", faked([[float("nan"), float("nan")]]))
    with pytest.raises(UserError, match="val_auc is undefined"):
        tune(store, searching(), options())
    with pytest.raises(UserError, match="the validation mean AP is undefined, no class has positive images"):
        tune(store, searching(study="other", monitor="val_loss"), options())


def test_a_storage_of_others_is_not_touched(store, tmp_path):
    import optuna

    url = f"sqlite:///{tmp_path}/theirs.db"
    theirs = optuna.create_study(storage=url, study_name="small")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(UserError, match="its study 'small' is no search of this tool"):
        tune(store, searching(), options(storage=url))
    assert len(theirs.trials) == 1
    theirs._storage.remove_session()
    theirs._storage._backend.engine.dispose()
