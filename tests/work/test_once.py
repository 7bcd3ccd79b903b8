"""Work is found, continued, made, counted: once, and by one process."""

from __future__ import annotations

import threading

import pytest

from prunecxr.errors import Diverged
from prunecxr.tracking import names, runs
from prunecxr.tracking.store import open_store
from prunecxr.work import once as module
from prunecxr.work.once import Once, Step, has_network


@pytest.fixture
def store(tmp_path, monkeypatch):
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "SETTLE", 0.05)
    return open_store(f"sqlite:///{tmp_path}/mlflow.db", "once")


def step(make=lambda _: None, key: str = "k", **changes) -> Step:
    return Step("seed", {names.KEY: key, names.STUDY: "s"}, "seed-07", make, **changes)


def test_work_is_made_once_and_then_found(store):
    calls: list[str] = []
    once = Once(store)
    first = once.do(step(lambda run: calls.append(run.id)))
    second = once.do(step(lambda run: calls.append(run.id)))
    assert first.id == second.id
    assert calls == [first.id]
    assert (once.made["seed"], once.found["seed"]) == (1, 1)
    assert runs.get(store, first.id).finished


def test_what_a_kill_left_is_continued_in_its_run(store):
    def killed(_):
        raise KeyboardInterrupt

    once = Once(store)
    with pytest.raises(KeyboardInterrupt):
        once.do(step(killed))
    (run,) = runs.search(store, {names.KIND: "seed"})
    assert run.status == "KILLED"
    assert once.do(step()).id == run.id
    assert len(runs.search(store, {names.KIND: "seed"})) == 1


def test_a_run_that_holds_its_network_is_done_even_if_it_was_not_finished(store):
    run = runs.create(store, "seed", {names.KEY: "k", names.STUDY: "s", names.MODEL: "models:/m-1"}, name="seed-07")
    once = Once(store)
    assert once.do(step(pytest.fail, is_done=has_network)).id == run.id
    assert runs.get(store, run.id).finished


def test_an_error_marks_the_run_as_failed_and_frees_the_claim(store):
    def fail(_):
        raise ValueError("no")

    once = Once(store)
    with pytest.raises(ValueError, match="no"):
        once.do(step(fail))
    (run,) = runs.search(store, {names.KIND: "seed"})
    assert run.status == "FAILED"
    once.do(step())


def test_work_that_diverged_diverges_again_without_being_done_unless_it_is_asked_for(store):
    calls: list[int] = []

    def diverge(_):
        calls.append(1)
        raise Diverged("the loss is nan")

    once = Once(store)
    for _ in range(2):
        with pytest.raises(Diverged, match="the loss is nan"):
            once.do(step(diverge))
    assert calls == [1]
    assert once.do(step(again=True)).finished


def test_of_several_that_begin_at_the_same_moment_one_makes_the_run(store, monkeypatch):
    monkeypatch.setattr(module, "SETTLE", 0.5)
    calls: list[str] = []
    start = threading.Barrier(4)
    ids: list[str] = []

    def work() -> None:
        once = Once(open_store(store.uri, "once"), say=lambda _: None)
        start.wait()
        ids.append(once.do(step(lambda run: calls.append(run.id))).id)

    monkeypatch.setattr("prunecxr.work.claims._is_gone", lambda *_: False)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert ids == calls * 4
    assert len(runs.search(store, {names.KIND: "seed"})) == 1


def test_children_are_found_continued_and_made(store):
    once = Once(store)
    parent = once.do(step())
    left = {names.KEY: "half", names.STUDY: "s"}
    unfinished = runs.create(store, "variant", left, name="v", parent=parent.id)
    children = once.children(parent, "variant")
    assert children.do("half", "v", {}, lambda _: None).id == unfinished.id
    made = children.do("new", "w", {names.SEED: "7"}, lambda _: None)
    assert made.tags[names.PARENT] == parent.id
    again = once.children(parent, "variant")
    assert again.do("new", "w", {}, pytest.fail).id == made.id
    assert again.done("absent", "new").id == made.id
    assert (once.made["variant"], once.found["variant"]) == (2, 1)
