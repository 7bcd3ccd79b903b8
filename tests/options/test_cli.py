"""How commands end: exit codes, one line, no traceback; signals in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
import sqlalchemy
import torch

from prunecxr import cli
from prunecxr.errors import EnvironmentFault, UserError

ROOT = Path(__file__).parents[2]


def raising(error: BaseException):
    def command() -> None:
        raise error

    return command


def too_deep() -> None:
    too_deep()


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (lambda: None, 0, ""),
        (raising(UserError("option x:\n  no")), 2, "error: option x: no\n"),
        (raising(EnvironmentFault("store gone")), 3, "error: store gone\n"),
        (raising(KeyboardInterrupt()), 130, "error: interrupted; the same command continues\n"),
        (raising(cli.Terminated()), 143, "error: terminated; the same command continues\n"),
        (raising(MemoryError()), 3, "error: not enough memory; a smaller batch_size"),
        (raising(torch.OutOfMemoryError("CUDA out of memory")), 3, "error: not enough memory"),
        (lambda: torch.empty(2**60), 3, "error: not enough memory"),
        (too_deep, 2, "error: something in the input is nested too deeply\n"),
        (raising(FileNotFoundError(2, "No such file or directory", "/x")), 3, "error: No such file or directory (/x)"),
        (raising(ModuleNotFoundError("No module named x", name="x")), 3, f"error: {sys.executable} lacks the"),
        (lambda: sqlalchemy.make_url("postgresql://u:secret@h:abc/d"), 3, "error: the address of the tracking"),
        (lambda: urllib.parse.urlsplit("http://h:99999").port, 3, "error: the address of the tracking"),
        (lambda: sqlalchemy.make_url("nonsense"), 3, "error: tracking store: Could not parse"),
        (raising(UserError("in postgresql://u:s:e@c@h/d and http://h:80/x")), 2, "postgresql://u:***@h/d and"),
        (raising(UserError("http://h:80/a@b")), 2, "error: http://h:80/a@b\n"),
    ],
)  # fmt: skip
def test_how_a_command_ends(command, code, message, capsys):
    assert cli._code_of(command) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == (0 if code == 0 else 1)
    assert "secret" not in said


def test_what_nobody_foresaw_keeps_its_traceback():
    with pytest.raises(ValueError, match="a bug"):
        cli._code_of(raising(ValueError("a bug")))


def process(code: str) -> subprocess.Popen[str]:
    program = "import sys, time\nfrom prunecxr import cli\n" + code
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGTERM, 143, "error: terminated; the same command continues\n"),
        (signal.SIGINT, 130, "error: interrupted; the same command continues\n"),
    ],
)
def test_signals_end_a_command_in_one_line_after_its_runs_are_marked(number, code, message):
    """A second SIGTERM, as a batch system sends to a whole group, does not disturb the marking."""
    running = process(
        "from prunecxr.work.once import ending\n"
        "class Run:\n"
        "    def finish(self, status='FINISHED'):\n"
        "        print('marking', flush=True); time.sleep(0.5); print(status, flush=True)\n"
        "def command():\n"
        "    with ending(Run()):\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(600)\n"
        "cli.run(command)\n"
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(number)
    assert running.stdout.readline() == "marking\n"
    if number == signal.SIGTERM:
        running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert (out, err, running.returncode) == ("KILLED\n", message, code)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("cli.run(lambda: print('caf\\udce9'))", 0),
        ("def command():\n    raise SystemExit(1)\ncli.run(command)", cli.NOT_PASSED),
        ("def command():\n    raise cli.UserError('no')\ncli.run(command)", 2),
        ("def command():\n    raise ValueError('a bug')\ncli.run(command)", 1),
    ],
)
def test_exit_codes_of_processes(code, status):
    running = process(code)
    running.communicate(timeout=60)
    assert running.returncode == status
