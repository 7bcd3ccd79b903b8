"""What a search came to: its best recipe, figures, table, and the runs of its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prunecxr import __version__
from prunecxr.options.recipe import to_recipe
from prunecxr.studies.search.ledger import BEST_EPOCH, ENDED, ERROR, OWN, Trial, as_study, best_of, count, table
from prunecxr.studies.search.sections.catalogue import write_report
from prunecxr.studies.search.sections.findings import SearchFindings
from prunecxr.studies.search.subject import subject_of
from prunecxr.studies.search.trials import conclude, find_run, params_of, summary_of, trial_key, with_options
from prunecxr.tracking import names, runs
from prunecxr.tracking.runs import TrackedRun
from prunecxr.work.identity import digest

LOGGED = "prunecxr.logged"  # hash of the trials whose results were logged last
TABLE = "tables/trials.csv"


@dataclass(frozen=True)
class Result:
    """The trials of a search, at least one of them complete.

    Attributes:
        best: the complete trial of the highest mean AP.
        own: the trial of the recipe's own options, None where the search leaves them out.
        absent: why figures were not drawn, a sentence each.
    """

    trials: Sequence[Trial]
    best: Trial
    own: Trial | None
    absent: Sequence[str] = ()


def log_result(run: TrackedRun, config: Any, data: Any, search: str, trials: Sequence[Trial]) -> Result | None:
    """Log everything that is not there yet; None if no trial is complete.

    Args:
        run: the search's.
        search: identity of the search.
    """
    best = best_of(trials)
    _settle(run, config, data, search, trials)
    if best is None:
        return None
    own = next((trial for trial in trials if trial.last.user_attrs.get(OWN)), None)
    state = digest({"trials": [[str(trial.last.number), trial.state] for trial in trials], "page": names.REPORT})
    if run.tags.get(LOGGED) == state:
        return Result(trials, best, own)
    with run.files() as folder:
        absent = write_report(folder, findings_of(run, config, trials))
        (folder / names.BEST_RECIPE).write_text(best_recipe(run, config, trials, best), encoding="utf-8")
    run.log(
        metrics={names.BEST_VAL_MEAN_AP: best.value or 0.0, "best_trial": best.index}
        | {f"trials_{state}": number for state, number in count(trials).items()},
        tags={LOGGED: state, names.NOTE: _note(config, trials, best, own)},
    )
    return Result(trials, best, own, absent)


def findings_of(run: TrackedRun, config: Any, trials: Sequence[Trial]) -> SearchFindings:
    """What the report of a search shows."""
    failed = [trial for trial in trials if trial.state == "failed"]
    return SearchFindings(
        study=config.study,
        trials=as_study(trials, config.study),
        tables={"trials": table(trials, list(config.search))},
        target=subject_of(config).what,
        warnings=[f"Trial {trial.index} failed: {trial.last.user_attrs.get(ERROR, 'killed')}." for trial in failed],
        provenance={
            "Data set": config.data.dataset_name or config.data.dataset,
            "Searched": ", ".join(config.search),
            "Trials": said_counts(trials),
            "Seed": str(config.seeds[0]),
            "Run": f"{run.id} of experiment {run.store.experiment_name}",
            "Made by": f"prunecxr {__version__}",
        },
    )


def best_recipe(run: TrackedRun, config: Any, trials: Sequence[Trial], best: Trial) -> str:
    """A recipe that `main` takes as it is: this one with the options of its best trial, under a study name of its own.

    So its networks do not mix with those of the recipe that the search began with.
    """
    ended = count(trials)
    header = [
        f"The outcome of the search {config.study!r}: the options of trial {best.index}, the best of {len(trials)}"
        f" ({ended['complete']} complete, {ended['pruned']} pruned, {ended['failed']} failed).",
        f"Mean AP on the validation split {best.value:.4f}, at epoch {best.last.user_attrs[BEST_EPOCH]}, seed"
        f" {config.seeds[0]}. The test split took no part.",
        f"Searched: {', '.join(config.search)}. Run {run.id} of experiment {run.store.experiment_name!r}; "
        f"prunecxr {__version__}.",
    ]
    chosen = with_options(config, best.last.params).model_copy(
        update={"study": f"{config.study[:94]}-tuned", "search": {}}
    )
    return "".join(f"# {line}\n" for line in header) + to_recipe(chosen)


def _settle(run: TrackedRun, config: Any, data: Any, search: str, trials: Sequence[Trial]) -> None:
    """Let every ended trial's run say so: a kill, or another host with a store of its own, may have left one behind."""
    tags = {names.KIND: "trial", names.STUDY: config.study}
    found_runs = runs.search(run.store, tags)
    there = {found.tags[names.KEY]: found for found in found_runs}
    for trial in trials:
        if trial.state not in ENDED:
            continue
        missing = [name for name in config.search if name not in trial.last.params]
        if missing:  # killed before it had its options
            continue
        chosen = with_options(config, trial.last.params)
        key = trial_key(search, trial.index, subject_of(chosen).task(chosen, data), chosen.seeds[0])
        found = there.get(key)
        if found is not None and found.finished and found.tags.get(names.TRIAL_STATE) == trial.state:
            continue
        child = find_run(run.store, run.id, config, trial.index, key)
        child.log_new_params(params_of(chosen))
        if found is None:
            for epoch, value in trial.last.intermediate_values.items():
                child.log(metrics={names.BEST_VAL_MEAN_AP: value}, step=epoch - 1)
        child.log(metrics=summary_of(trial))
        conclude(child, trial.index, trial.state, trial.last.user_attrs.get(ERROR, ""))
        child.finish("FAILED" if trial.state == "failed" else "FINISHED")


def _note(config: Any, trials: Sequence[Trial], best: Trial, own: Trial | None) -> str:
    """The description that the MLflow UI shows: markdown."""
    lines = [
        f"# Search {config.study}",
        config.description,
        f"{len(trials)} trials over {', '.join(f'`{name}`' for name in config.search)}: {said_counts(trials)}.",
        f"Best: trial {best.index}, mean AP on the validation split {best.value:.4f}: {said_options(best)}.",
    ]
    if own is not None and own.value is not None:
        lines.append(f"The recipe's own options (trial {own.index}, {own.state}): {own.value:.4f}.")
    lines.append(f"- `{names.BEST_RECIPE}`: the recipe for `main`; `{TABLE}`: every trial; `{names.REPORT}`: figures")
    return "\n\n".join(line for line in lines if line)


def said_counts(trials: Sequence[Trial]) -> str:
    """`7 complete, 5 pruned, 0 failed`."""
    return ", ".join(f"{number} {state}" for state, number in count(trials).items())


def said_options(trial: Trial) -> str:
    """`learning_rate=0.002, schedule=cosine`."""
    texts = ((name, f"{v:.4g}" if isinstance(v, float) else str(v)) for name, v in trial.last.params.items())
    return ", ".join(f"{name}={text}" for name, text in texts)
