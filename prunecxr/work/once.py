"""Work that is done once: every run of every study is found, claimed, resumed, made, finished and counted here.

A run is identified by its kind and the tags that say what determines its result (its key among them). One that is done
is found and never touched again; one that a kill left is continued; one that is missing is made. Who makes it holds a
claim in the store meanwhile (`prunecxr.work.claims`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from prunecxr.errors import Diverged
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store
from prunecxr.work.claims import claimed

# Seconds after which two processes that make the same run at once have seen each other's.
SETTLE = 0.3

Make = Callable[[TrackedRun], object]


def is_finished(run: TrackedRun) -> bool:
    """Whether a run has ended well: what makes most work done."""
    return run.finished


def has_network(run: TrackedRun) -> bool:
    """Whether a run's network is stored: what makes a training done, even if a kill came before its last step."""
    return names.MODEL in run.tags


@dataclass(frozen=True)
class Step:
    """One piece of work, and the run that holds it.

    Attributes:
        kind: of the run.
        identity: the tags that make it the same work.
        name: of the run.
        make: does the work and logs it; called at most once.
        parent: id of the parent run.
        tags: further tags of a new run.
        is_done: whether a run holds all of the work.
        adopt: whether the run that `mlflow run` made for this command may become it.
        again: whether work that diverged before is tried again; else it diverges at once, for the same reason.
    """

    kind: str
    identity: Mapping[str, str]
    name: str
    make: Make
    parent: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    is_done: Callable[[TrackedRun], bool] = is_finished
    adopt: bool = False
    again: bool = False


class Once:
    """Does steps, each once, and counts them.

    Attributes:
        made, found: how many runs of each kind were made by this command, and how many were there before.
    """

    def __init__(self, store: Store, say: Callable[[str], object] = print) -> None:
        self.store = store
        self.made: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self._say = say

    def do(self, step: Step) -> TrackedRun:
        """The run of a step, done: found, or made now.

        Raises:
            Diverged: the work came to numbers that are not finite; the run keeps why.
        """
        run = self.open(step)
        if self._finds(step, run):
            return run
        with self.claimed(run, step.kind, step.name):
            run.refresh()
            if self._finds(step, run):  # whoever held the claim before has done it
                return run
            with ending(run):
                run.resume()
                step.make(run)
        self.made[step.kind] += 1
        return run

    def open(self, step: Step) -> TrackedRun:
        """The run of a step, as it is: found, or opened without its work."""
        run = runs.find(self.store, step.kind, step.identity)
        if run is None:
            run = self._open_new(step)
        elif not run.finished and _is_young(run):  # somebody may have opened another one at the same moment
            run = self._settled(step)
        return run

    @contextmanager
    def claimed(self, run: TrackedRun, work: str, title: str) -> Iterator[None]:
        """Hold the claim on a piece of a run's work; see `prunecxr.work.claims.claimed`."""
        with claimed(run, work, title, self._say):
            yield

    def children(self, parent: TrackedRun, kind: str) -> Children:
        """The runs of a kind below a run on which this process holds a claim."""
        return Children(self, parent, kind)

    def _finds(self, step: Step, run: TrackedRun) -> bool:
        """Whether the step is done; its run is then finished and counted."""
        if not step.is_done(run):
            if names.DIVERGED in run.tags and run.status == "FAILED" and not step.again:
                raise Diverged(run.tags[names.DIVERGED])
            return False
        if not run.finished:  # killed between its last two steps
            run.finish()
        self.found[step.kind] += 1
        return True

    def _open_new(self, step: Step) -> TrackedRun:
        tags = {**step.identity, **step.tags}
        invocation = runs.unclaimed_invocation(self.store) if step.adopt else None
        if invocation is None:
            run = runs.create(self.store, step.kind, tags, name=step.name, parent=step.parent)
        else:
            run = runs.adopt(invocation, step.kind, tags, name=step.name, parent=step.parent)
        first = self._settled(step)
        if first.id == run.id:
            return run
        runs.discard(run)
        return first

    def _settled(self, step: Step) -> TrackedRun:
        """The one run that all processes agree on, of those that they opened at the same moment: the oldest."""
        time.sleep(SETTLE)
        rivals = runs.search(self.store, {names.KIND: step.kind, **step.identity})
        return min(rivals, key=lambda rival: (not rival.finished, rival.start_time, rival.id))


class Children:
    """The runs of one kind below a parent that is claimed: no child needs a claim of its own.

    Attributes:
        parent: the run above them.
        by_key: what is there, by key: of several of one key a finished run rather than an unfinished, the newest.
    """

    def __init__(self, once: Once, parent: TrackedRun, kind: str) -> None:
        self._once, self.parent, self._kind = once, parent, kind
        self.by_key = runs.children_by_key(parent, kind)

    def done(self, *keys: str) -> TrackedRun | None:
        """The finished run of the first of these keys that has one."""
        return next((run for key in keys if (run := self.by_key.get(key)) and run.finished), None)

    def unfinished(self, key: str) -> TrackedRun | None:
        """What a kill left of a key's run."""
        run = self.by_key.get(key)
        return None if run is None or run.finished else run

    def count(self, run: TrackedRun) -> TrackedRun:
        """Count a run that was there before."""
        self._once.found[self._kind] += 1
        return run

    def add(self, run: TrackedRun) -> TrackedRun:
        """Count a run that was made now."""
        self.by_key[run.tags[names.KEY]] = run
        self._once.made[self._kind] += 1
        return run

    def do(self, key: str, name: str, tags: Mapping[str, str], make: Make) -> TrackedRun:
        """The finished run of a key; made if there is none."""
        if run := self.done(key):
            return self.count(run)
        labels = {names.KEY: key, names.STUDY: self.parent.tags[names.STUDY], **tags}
        run = self.unfinished(key) or runs.create(
            self._once.store, self._kind, labels, name=name, parent=self.parent.id
        )
        with ending(run):
            run.resume()
            make(run)
        return self.add(run)


@contextmanager
def ending(run: TrackedRun) -> Iterator[TrackedRun]:
    """Finish the run when the block ends well; mark it FAILED or KILLED when it does not."""
    try:
        yield run
    except KeyboardInterrupt:
        run.finish("KILLED")
        raise
    except Diverged as error:
        run.log(tags={names.DIVERGED: str(error)})
        run.finish("FAILED")
        raise
    except BaseException:
        run.finish("FAILED")
        raise
    run.finish()


def _is_young(run: TrackedRun) -> bool:
    return abs(time.time() - run.start_time / 1000) < SETTLE
