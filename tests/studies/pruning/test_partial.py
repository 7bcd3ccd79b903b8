"""What is incomplete, asked for twice, or left behind: the rest of a study goes on, and nothing is done again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from prunecxr.errors import Diverged
from prunecxr.learning.loop import Session
from prunecxr.studies.commands import analyze
from prunecxr.studies.pruning import findings, study, task
from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import fetch, read_table, read_text
from prunecxr.work import identity
from tests.stored import client_of
from tests.studies.conftest import small
from tests.studies.pruning.test_importing import GIVEN, bring, counts, folder

__all__ = ["folder"]  # a fixture

ROOT = Path(__file__).parents[3]


def test_a_seed_that_diverges_leaves_the_others_to_be_analysed(store, monkeypatch, capsys):
    real, trained = task.fit, []

    def fit(*given, **_):
        session: Session = given[-1]
        trained.append(session.seed)
        if session.seed == 1:
            raise Diverged("training diverged in epoch 1: the loss is nan")
        return real(*given)

    monkeypatch.setattr(task, "fit", fit)
    for number in (1, 2):  # the second command does not even try
        study.run_study(store, small())
        said = capsys.readouterr().out
        assert "warning: seed 1 failed: training diverged in epoch 1: the loss is nan" in said
        assert "seed(s) 1 failed, 1 analysed; to try again: mlflow run . " in said
        assert "-e train -P seed=N" in said
        assert trained == [0, 1], number
        (run,) = runs.search(store, {names.KIND: "analysis"})
    assert "Seed 1 is not in the study: training diverged in epoch 1" in read_text(run, names.REPORT)
    assert [run.status for run in runs.search(store, {names.KIND: "study"})] == ["FINISHED"]
    failed = runs.find(store, "seed", {names.SEED: "1"})
    assert (failed.status, failed.tags[names.DIVERGED]) == ("FAILED", "training diverged in epoch 1: the loss is nan")

    monkeypatch.setattr(task, "fit", real)
    study.train(store, small(), 1)  # asked for by name, it is tried again, in its own run
    study.run_study(store, small())
    assert "0 seed(s) trained (2 found), 3 variant(s) evaluated (3 found)" in capsys.readouterr().out
    assert {run.status for run in runs.search(store, {})} == {"FINISHED"}
    newest, _ = runs.search(store, {names.KIND: "analysis"})
    assert "is not in the study" not in read_text(newest, names.REPORT)


def test_every_seed_diverging_is_an_error(store, monkeypatch):
    def fit(*_, **__):
        raise Diverged("training diverged in epoch 1")

    monkeypatch.setattr(task, "fit", fit)
    with pytest.raises(Diverged, match="in epoch 1"):
        study.run_study(store, small())
    assert counts(store) == {"study": 1, "seed": 2}


def test_another_work_folder_finds_everything(done, tmp_path, monkeypatch, capsys):
    """Two users, or two hosts, share a store and no folder: what is done is in the store."""
    store, _ = done
    before = counts(store)
    monkeypatch.setattr(task, "fit", lambda *_: pytest.fail("trained again"))
    study.run_study(store, small(workdir=str(tmp_path / "elsewhere")))
    assert counts(store) == before
    assert "0 seed(s) trained (2 found), 0 variant(s) evaluated (6 found)" in capsys.readouterr().out


def test_pies_are_those_of_the_seeds_that_have_both_variants(store, folder):
    """The dense network of a seed without its pruned one has no say: as if the seed were not there at all."""
    bring(store, folder)
    pies = []
    for sparsity in ("0.90", "0.00"):
        (run,) = runs.search(store, {names.KIND: "variant", names.SEED: "3", names.SPARSITY: sparsity})
        client_of(store).delete_run(run.id)
        analyze(store, GIVEN, None)
        newest = runs.search(store, {names.KIND: "analysis"})[0]
        pies.append(read_table(newest, "tables/pies.csv")[["id", "agreement", "is_pie"]])
        said = "PIEs are those of the seeds that have both variants; left out on both sides: 3." in read_text(
            newest, names.REPORT
        )
        assert said == (sparsity == "0.90")
    pd.testing.assert_frame_equal(*pies)


def test_an_analysis_is_made_anew_when_a_file_of_its_code_changes(store, folder, tmp_path, monkeypatch):
    bring(store, folder)
    package = tmp_path / "package"
    for part in findings.CODE:
        (package / part).parent.mkdir(parents=True, exist_ok=True)
        source = identity.PACKAGE / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, package / part)
    monkeypatch.setattr(identity, "PACKAGE", package)
    made = []
    for _ in range(2):
        for _ in range(2):
            identity.code_digest.cache_clear()
            analyze(store, GIVEN, None)
        made.append(len(runs.search(store, {names.KIND: "analysis"})))
        with (package / "studies" / "pruning" / "findings.py").open("a") as file:
            file.write("# another way to compute it\n")
    identity.code_digest.cache_clear()
    assert made == [1, 2]


def test_an_analysis_that_two_processes_ask_for_at_once_is_made_once(store, folder):
    bring(store, folder)
    command = [sys.executable, "-m", "entrypoints.analyze", "--study=brought", "--bootstrap=200"]
    variables = {
        **os.environ,
        "MLFLOW_TRACKING_URI": store.uri,
        "MLFLOW_EXPERIMENT_NAME": store.experiment_name,
        "PYTHONPATH": str(ROOT),
    }
    started = [
        subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0], answers
    assert sorted("(found: same variants" in said for said, _ in answers) == [False, True]
    (run,) = runs.search(store, {names.KIND: "analysis"})
    assert run.finished
    for metric in run.metrics():
        steps = [step for step, _ in run.history(metric)]
        assert len(steps) == len(set(steps)), metric


def test_an_import_killed_between_the_tag_and_the_end_of_a_seed_run_is_finished_by_the_next(store, folder, capsys):
    bring(store, folder)
    left = runs.find(store, "seed", {names.SEED: "3"})
    assert names.TEST_SPLIT in left.tags
    left.resume()
    bring(store, folder)
    assert "0 variant(s) imported, 6 found" in capsys.readouterr().out
    assert {run.status for run in runs.search(store, {})} == {"FINISHED"}


def test_an_imported_method_keeps_its_own_name(store, folder):
    bring(store, folder, method="lottery-2.1@row")
    analyze(store, {**GIVEN, "method": "lottery-2.1@row"}, None)
    (run,) = runs.search(store, {names.KIND: "analysis"})
    assert run.tags[names.METHOD] == "lottery-2.1@row"
    assert fetch(run, names.REPORT, folder).is_file()
