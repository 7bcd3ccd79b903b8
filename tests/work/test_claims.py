"""Claims: one worker at a time, in whatever process or host; the dead are followed, the living waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking import names, runs
from prunecxr.tracking.store import open_store
from prunecxr.work import claims
from prunecxr.work.claims import Holder, claimed

ROOT = Path(__file__).parents[2]
TAG = f"{names.CLAIM}.train"


@pytest.fixture
def uri(tmp_path, monkeypatch) -> str:
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def run(uri):
    return runs.create(open_store(uri, "claims"), "seed", {names.STUDY: "s", names.KEY: "k"}, name="seed-07")


def held_by(run, holder: Holder, beat: str = "") -> None:
    """Let somebody else hold the first claim."""
    run.log(params={"claim/train/0": json.dumps(asdict(holder))}, tags={TAG: beat or "0 2026-01-01T00:00:00+00:00"})


def somebody(**changes) -> Holder:
    values = {
        "host": "elsewhere",
        "machine": "another",
        "pid": 1,
        "started": "",
        "token": "t",
        "since": "2026-01-01T00:00:00+00:00",
    }
    return Holder(**{**values, **changes})


def test_a_claim_says_who_works_and_is_given_back(run):
    with claimed(run, "train", "seed 7") as holder:
        there = json.loads(run.params()["claim/train/0"])
        assert there["pid"] == os.getpid() == holder.pid
        run.refresh()
        assert run.tags[TAG].startswith("0 2")
    run.refresh()
    assert run.tags[TAG] == "0 returned"
    with claimed(run, "train", "seed 7"):
        assert "claim/train/1" in run.params()


def test_kinds_of_work_are_claimed_apart(run):
    with claimed(run, "train", "seed 7"), claimed(run, "sweep", "seed 7, pruning"):
        assert {"claim/train/0", "claim/sweep/0"} <= set(run.params())


def test_the_work_of_a_dead_process_of_this_machine_is_taken_over_at_once(run):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    held_by(run, somebody(machine=claims._machine(), pid=child.pid), claims._beat_text(0))
    with claimed(run, "train", "seed 7"):
        assert "claim/train/1" in run.params()


def test_a_number_that_another_process_has_now_does_not_keep_a_claim_alive(run):
    held_by(run, somebody(machine=claims._machine(), pid=os.getppid(), started="1"), claims._beat_text(0))
    with claimed(run, "train", "seed 7"):
        assert "claim/train/1" in run.params()


def test_a_holder_of_another_host_that_beat_long_ago_is_followed(run):
    held_by(run, somebody())
    with claimed(run, "train", "seed 7"):
        assert "claim/train/1" in run.params()


def test_a_holder_of_another_host_that_stops_beating_is_followed(run, monkeypatch):
    monkeypatch.setattr(claims, "LEASE", 0.3)
    monkeypatch.setattr(claims, "LOOK", 0.05)
    held_by(run, somebody(), claims._beat_text(0))
    said: list[str] = []
    with claimed(run, "train", "seed 7", said.append):
        assert "claim/train/1" in run.params()
    assert said == ["seed 7: process 1 on elsewhere (since 2026-01-01T00:00:00+00:00) is working on it; waiting"]


def test_a_living_holder_is_waited_for(uri, run, monkeypatch):
    monkeypatch.setattr(claims, "LOOK", 0.05)
    code = """
        import sys
        from prunecxr.tracking import runs
        from prunecxr.tracking.store import open_store
        from prunecxr.work.claims import claimed

        run = runs.get(open_store(sys.argv[1], "claims"), sys.argv[2])
        with claimed(run, "train", "seed 7"):
            print("working", flush=True)
            sys.stdin.readline()
            run.put_tag("done", "yes")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), uri, run.id]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as other:
        assert other.stdout.readline() == "working\n"

        def let_go(_: str) -> None:
            run.refresh()
            assert "done" not in run.tags
            other.stdin.write("\n")
            other.stdin.flush()

        with claimed(run, "train", "seed 7", let_go):
            run.refresh()
            assert run.tags["done"] == "yes"
    assert other.returncode == 0


def test_of_many_that_ask_at_once_one_at_a_time_works(uri, run, monkeypatch):
    monkeypatch.setattr(claims, "LOOK", 0.02)
    monkeypatch.setattr(claims, "_is_gone", lambda *_: False)
    inside, most, errors = [0], [0], []

    def work() -> None:
        try:
            own = runs.get(open_store(uri, "claims"), run.id)
            with claimed(own, "train", "seed 7", lambda _: None):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                own.put_tag("touched", "yes")
                inside[0] -= 1
        except Exception as error:  # noqa: BLE001 (threads keep their errors to themselves)
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert most == [1]


def test_who_was_followed_is_told(run):
    with (
        pytest.raises(
            EnvironmentFault, match="seed 7: another process took this work over; the same command continues"
        ),
        claimed(run, "train", "seed 7"),
    ):
        run.log(params={"claim/train/1": json.dumps(asdict(somebody()))})


def test_a_claim_beats(run, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.01)
    seen: set[str] = set()
    with claimed(run, "train", "seed 7"):
        for _ in range(500):
            run.refresh()
            seen.add(run.tags[TAG])
            if len(seen) > 2:
                break
    assert len(seen) > 2
