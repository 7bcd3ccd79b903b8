"""Which networks, variants and searches belong to a localization study, by their keys. Knows no torch.

Work and analysis ask the same object, so that what was made is what is found, from the tracking server alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prunecxr.studies.localization import keys
from prunecxr.studies.localization.config import HtlConfig

DENSE = "magnitude"  # method of the variant at 0, which is the plain network itself
HTL, PLAIN, DISAGREEMENT = "htl", "plain", "disagreement"


@dataclass(frozen=True)
class Choice:
    """What the options choose, given the data.

    Attributes:
        prints: content fingerprint of every split.
    """

    config: HtlConfig
    prints: Mapping[str, str]

    @property
    def task(self) -> str:
        """What the networks learn: `masks` or `classes`."""
        return "classes" if self.config.mining.setting == "weak" else "masks"

    @property
    def pool(self) -> str:
        """The split that HTLs are mined from."""
        return "unlabelled" if self.config.mining.setting == "semi" else "train"

    def training_key(self, precision: str) -> str:
        """What the plain networks of all seeds share."""
        prints = {name: self.prints[name] for name in ("train", "val")}
        return keys.training_key(prints, self.task, self.config.training, precision)

    def levels(self) -> dict[str, tuple[float, ...]]:
        """Pruned shares of each method, rising; the dense network comes first, under `DENSE`."""
        mining, analysis = self.config.mining, self.config.analysis
        shares = {(mining.method, k) for k in (*analysis.effect_fractions, mining.prune_fraction)}
        shares |= {(method, k) for method in analysis.ablation_methods for k in analysis.ablation_fractions}
        shares |= {(method, mining.prune_fraction) for method in self.mining_methods()}
        methods = dict.fromkeys([DENSE, mining.method, *analysis.ablation_methods])
        levels = {method: sorted({k for name, k in shares if name == method and k > 0}) for method in methods}
        levels[DENSE] = [0.0, *levels[DENSE]]
        return {method: tuple(shares) for method, shares in levels.items()}

    def mining_methods(self) -> tuple[str, ...]:
        """The pruning methods whose HTLs are fine-tuned on: the study's, and those that it is compared with."""
        others = self.config.analysis.ablation_methods if self.config.analysis.ablation_finetuning else ()
        return tuple(dict.fromkeys([self.config.mining.method, *others]))

    def looks_into(self, method: str, level: float) -> bool:
        """Whether a variant is evaluated on the images to be mined and those of table 1, not on test images alone."""
        mining, analysis = self.config.mining, self.config.analysis
        if level in (0.0, mining.prune_fraction):
            return level == 0 or method in self.mining_methods()
        return method == mining.method and level in analysis.effect_fractions

    def evaluated(self, test_alone: bool = False) -> dict[str, str]:
        """Fingerprints of the splits that networks are evaluated on: all of them, or the test images alone."""
        return {name: self.prints[name] for name in ({"test"} if test_alone else {"test", "train", self.pool})}

    def variant_keys(self, seed: str, method: str, level: float) -> tuple[str, ...]:
        """Keys under which a variant may be known: one that was looked into serves where the test images would do.

        Args:
            seed: key of the plain network.
        """
        setting = self.config.mining.setting
        whole = keys.pruned_key(seed, self.evaluated(), setting, method, level)
        if self.looks_into(method, level):
            return (whole,)
        return whole, keys.pruned_key(seed, self.evaluated(test_alone=True), setting, method, level)

    def mining_key(self, seed: str, method: str) -> str:
        """The HTLs that pruning a seed's network by a method finds."""
        mining = self.config.mining
        variant = self.variant_keys(seed, method, mining.prune_fraction)[-1]
        return keys.mining_key(variant, mining.htl_rule, mining.tau)

    @property
    def threshold(self) -> str:
        """Where the threshold of a mask comes from: `validation`, or `argmax` (one half; boxes have none)."""
        return "argmax" if self.task == "classes" else self.config.finetuning.threshold

    def partner(self, seed: int) -> int | None:
        """The seed whose dense network a seed's is compared with: the next of the study, the first after the last."""
        seeds = self.config.seeds
        return seeds[(seeds.index(seed) + 1) % len(seeds)] if len(seeds) > 1 and seed in seeds else None

    def partner_key(self, training: str, seed: int) -> str:
        """The key of that network; empty if there is none.

        Args:
            training: what the plain networks share.
        """
        partner = self.partner(seed)
        return "" if partner is None else keys.seed_key(training, partner)

    def network_keys(self, seed: str, partner: str = "") -> dict[str, str]:
        """Approach -> key of every further network of a seed that the options ask for.

        Args:
            seed: key of the plain network.
            partner: as from `partner_key`; without it there is no arm that needs one.
        """
        finetuning = self.config.finetuning.model_copy(update={"threshold": self.threshold})
        setting, evaluated = self.config.mining.setting, self.evaluated(test_alone=True)
        keyed: dict[str, str] = {}
        for method in self.mining_methods():
            mining = self.mining_key(seed, method)
            study_s = method == self.config.mining.method
            approaches = [HTL, *(b for b in finetuning.baselines if b != "focal")] if study_s else [f"{HTL}:{method}"]
            for approach in approaches:
                other = partner if approach == DISAGREEMENT else ""
                if other or approach != DISAGREEMENT:
                    keyed[approach] = keys.network_key(mining, approach, finetuning, other)
        if self.threshold != "argmax":
            keyed[PLAIN] = keys.plain_key(seed, evaluated, setting, self.threshold)
        if "focal" in finetuning.baselines:
            gamma = self.config.training.focal_gamma
            keyed["focal"] = keys.focal_key(seed, evaluated, setting, gamma, self.threshold)
        return keyed
