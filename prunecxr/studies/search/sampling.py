"""What a search tries next (TPE) and which trials it gives up (Hyperband); every draw follows from seed and trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from prunecxr.options.space import Choices, Domain
from prunecxr.work.identity import digest

# Random trials of each of Hyperband's brackets before TPE takes over; Optuna's 10 would be most of a search.
STARTUP = 5
REDUCTION = 3  # of the trials that reach a rung, one in three goes on: the factor of Li et al. (JMLR 2018)
LARGEST_RATIO = 27  # longest over shortest training, in epochs: 4 brackets at the most


def distributions(space: Mapping[str, Domain]) -> dict[str, BaseDistribution]:
    """Optuna's distribution of each searched option."""
    return {name: _distribution(domain) for name, domain in space.items()}


def _distribution(domain: Domain) -> BaseDistribution:
    if isinstance(domain, Choices):
        return CategoricalDistribution(domain.values)
    if isinstance(domain.low, int) and isinstance(domain.high, int):
        return IntDistribution(domain.low, domain.high, log=domain.log, step=int(domain.step or 1))
    return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def suggest(trial: optuna.Trial, space: Mapping[str, Domain]) -> dict[str, Any]:
    """The values that the trial is to try."""
    found: dict[str, Any] = {}
    for name, distribution in distributions(space).items():
        if isinstance(distribution, CategoricalDistribution):
            found[name] = trial.suggest_categorical(name, distribution.choices)
        elif isinstance(distribution, IntDistribution):
            low, high = distribution.low, distribution.high
            found[name] = trial.suggest_int(name, low, high, step=distribution.step, log=distribution.log)
        elif isinstance(distribution, FloatDistribution):
            start, end = distribution.low, distribution.high
            found[name] = trial.suggest_float(name, start, end, step=distribution.step, log=distribution.log)
    return found


def guide(study: optuna.Study, seed: int, epochs: int) -> None:
    """Give the study its sampler, and Hyperband (Li et al., JMLR 2018) over epochs as its pruner.

    Args:
        epochs: the most that any trial trains.
    """
    shortest = max(1, round(epochs / LARGEST_RATIO))
    pruner = HyperbandPruner(min_resource=shortest, max_resource=max(epochs, shortest), reduction_factor=REDUCTION)
    # Else the first trial of every process would count as one of the first bracket, and TPE would see all brackets.
    pruner._try_initialization(study)
    study.sampler, study.pruner = NumberedSampler(seed), pruner


class NumberedSampler(BaseSampler):
    """TPE whose random numbers follow from the search's seed and the number of the trial.

    A sampler with one stream of numbers would draw the first trials again in every process that joins or continues.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tpe = TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        seed = int(digest({"search": self._seed, "trial": trial.number}), 16) % 2**32
        # Several workers: TPE counts as bad what the others are trying (its constant liar), so nobody tries it, too.
        self._tpe = TPESampler(seed=seed, n_startup_trials=STARTUP)
        self._tpe.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self._tpe.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Optuna asks for this where threads share a sampler; here every trial is seeded anyway."""
