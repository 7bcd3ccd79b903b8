"""Claims: who works on a run. They lie in the store, so that two folders, users or hosts never do the same work.

A claim is a param of the run (`claim/<work>/<generation>`). MLflow's params are written once: of several processes
that write the same generation one wins, and the others read who that was. While it works, the winner beats time in a
tag (`prunecxr.claim.<work>`). A claim ends when it is given back, when its process is seen to be gone (on this machine
at once), or when it has not beaten for `LEASE` seconds; then the next generation may be claimed.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from prunecxr.errors import EnvironmentFault
from prunecxr.tracking import names
from prunecxr.tracking.runs import TrackedRun

BEAT = 15.0  # seconds between two beats
LEASE = 90.0  # seconds without a beat after which a claim is void
SKEW = 600.0  # seconds by which the clocks of two hosts may differ
LOOK = 1.0  # seconds between two looks at somebody else's claim
RETURNED = "returned"


@dataclass(frozen=True)
class Holder:
    """Who holds a claim.

    Attributes:
        host: its name, for people.
        machine: what the process numbers of one machine, or container, have in common; empty where unknown.
        started: when the process started, in the machine's own terms: numbers of processes are used again.
        token: of this claim alone.
        since: when it was claimed, ISO 8601.
    """

    host: str
    machine: str
    pid: int
    started: str
    token: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (since {self.since})"


@contextmanager
def claimed(run: TrackedRun, work: str, title: str, say: Callable[[str], object] = print) -> Iterator[Holder]:
    """Hold the claim on a piece of a run's work while the block runs.

    Whoever holds it already is waited for, with a line that says so; one that is gone is followed.

    Args:
        work: which piece: letters and digits.
        title: what to call it in messages.
        say: takes such a line.
    Raises:
        EnvironmentFault: when the block ends, if the claim was lost meanwhile: this process was asleep for so long that
            another one took the work over.
    """
    holder, generation = _obtain(run, work, title, say)
    key = (run.id, work)
    _held[key] = holder.token
    beating = threading.Event()
    beater = threading.Thread(target=_beat, args=(run, work, generation, beating), daemon=True)
    beater.start()
    try:
        yield holder
        if _generation(run.params(), work) != generation:
            raise EnvironmentFault(f"{title}: another process took this work over; the same command continues")
    finally:
        beating.set()
        beater.join()
        _held.pop(key, None)
        _give_back(run, work, generation)


_held: dict[tuple[str, str], str] = {}  # (run, work) -> token of the claims that this process holds


def _obtain(run: TrackedRun, work: str, title: str, say: Callable[[str], object]) -> tuple[Holder, int]:
    """The claim and its generation, once it is free."""
    waited, seen, since = False, "", time.monotonic()
    while True:
        run.refresh()
        params = run.params()
        generation = _generation(params, work)
        if generation >= 0:
            other, beat = _holder(params[_param(work, generation)]), run.tags.get(_tag(work), "")
            if (beat, generation) != (seen, generation):
                seen, since = beat, time.monotonic()
            if not _is_returned(beat, generation) and not _is_gone(other, beat, time.monotonic() - since):
                if not waited:
                    say(f"{title}: {other} is working on it; waiting")
                waited = True
                time.sleep(LOOK)
                continue
        mine = _myself()
        text = json.dumps(asdict(mine))
        if run.write_once(_param(work, generation + 1), text) == text:
            run.log(tags={_tag(work): _beat_text(generation + 1)})
            return mine, generation + 1


def _beat(run: TrackedRun, work: str, generation: int, ended: threading.Event) -> None:
    """Beat time until the work has ended. A store that is away for a beat or two is the worker's own concern."""
    while not ended.wait(BEAT):
        try:
            run.put_tag(_tag(work), _beat_text(generation))
        except Exception:  # noqa: BLE001 (the worker's next call of the store says what is wrong with it)
            continue


def _give_back(run: TrackedRun, work: str, generation: int) -> None:
    """Mark the claim as given back, unless somebody has taken the work over."""
    try:
        if _generation(run.params(), work) == generation:
            run.log(tags={_tag(work): f"{generation} {RETURNED}"})
    except Exception:  # noqa: BLE001 (the error that ended the block matters more; the process ends, and so does the claim)
        return


def _param(work: str, generation: int) -> str:
    return f"claim/{work}/{generation}"


def _tag(work: str) -> str:
    return f"{names.CLAIM}.{work}"


def _generation(params: dict[str, str], work: str) -> int:
    """The newest generation of a claim; -1 where there is none."""
    prefix = f"claim/{work}/"
    return max((int(name.removeprefix(prefix)) for name in params if name.startswith(prefix)), default=-1)


def _holder(text: str) -> Holder:
    return Holder(**json.loads(text))


def _beat_text(generation: int) -> str:
    return f"{generation} {datetime.now(UTC).isoformat(timespec='milliseconds')}"


def _is_returned(beat: str, generation: int) -> bool:
    return beat == f"{generation} {RETURNED}"


def _is_gone(holder: Holder, beat: str, unchanged: float) -> bool:
    """Whether the holder works no more.

    Args:
        beat: its tag as it is now.
        unchanged: seconds for which this process has seen no other.
    """
    if holder.machine and holder.machine == _machine():
        if holder.pid == os.getpid() and holder.started == _started(os.getpid()):
            return holder.token not in _held.values()
        return not _runs(holder)
    last = beat.partition(" ")[2] or holder.since
    try:
        age = (datetime.now(UTC) - datetime.fromisoformat(last)).total_seconds()
    except ValueError:  # of an earlier generation: given back, and nothing since
        age = (datetime.now(UTC) - datetime.fromisoformat(holder.since)).total_seconds()
    return unchanged > LEASE or age > LEASE + SKEW


def _runs(holder: Holder) -> bool:
    """Whether a process of this machine is there, and is the one that started then."""
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return not holder.started or _started(holder.pid) in ("", holder.started)


def _myself() -> Holder:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pid = os.getpid()
    return Holder(socket.gethostname(), _machine(), pid, _started(pid), uuid.uuid4().hex[:12], now)


def _machine() -> str:
    """Digest of what tells this boot of this machine, and this container, from all others; empty where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        inside = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:  # no Linux: the name of the host must do
        boot, inside = socket.gethostname(), ""
    return hashlib.sha256(f"{socket.gethostname()} {boot} {inside}".encode()).hexdigest()[:12]


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty where unknown or where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]
