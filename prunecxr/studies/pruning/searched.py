"""What a search for hyper-parameters knows of pruning studies: it maximises the mean AP on the validation split."""

from __future__ import annotations

import itertools

from prunecxr.learning.loop import EpochRecord
from prunecxr.networks.families import weights_identity
from prunecxr.options.space import Choices
from prunecxr.studies.pruning import material
from prunecxr.studies.pruning.config import Config
from prunecxr.studies.pruning.material import Material
from prunecxr.studies.pruning.study import say_data
from prunecxr.studies.pruning.task import PruningTask, check_names


class Searched:
    """The classifiers of a pruning study."""

    what = "validation mean AP"

    def check(self, config: Config) -> None:
        check_names(config)

    def prepare(self, config: Config, quiet: bool = False) -> Material:
        data = material.prepare(config, ("train", "val"))
        if not quiet:
            say_data(data)
        return data

    def task(self, config: Config, data: Material) -> PruningTask:
        return PruningTask(config, data)

    def value(self, epoch: EpochRecord) -> float:
        return float(epoch.val_mean_ap)  # type: ignore[attr-defined]  # of a classifier's epoch

    def weights(self, config: Config) -> list[str]:
        known = {"architecture": [config.training.architecture], "weights": [config.training.weights]}
        for name in known:
            domain = config.search.get(name)
            known[name] = list(domain.values) if isinstance(domain, Choices) else known[name]
        return [weights_identity(*pair) for pair in itertools.product(*known.values())]


SUBJECT = Searched()
