"""What a localization study left on the tracking server: the runs by what they are. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass

from prunecxr.studies.localization.arms import ARMS, Known
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.keys import seed_key
from prunecxr.studies.localization.sampling import FEWEST
from prunecxr.studies.localization.variants import DISAGREEMENT, HTL, Choice
from prunecxr.tracking import names, runs
from prunecxr.tracking.artifacts import read_table, read_text
from prunecxr.tracking.runs import TrackedRun
from prunecxr.tracking.store import Store


@dataclass(frozen=True)
class SeedRuns:
    """The runs of one seed that belong to the study as its options are now.

    Attributes:
        run: the seed's own, with its plain network.
        pruned: (method, pruned share) -> run; share 0 is the plain network.
        mining: method -> run with the table of HTLs.
        networks: approach -> run of a network that was trained or fine-tuned further.
        missing: what of it is not there yet: the analysis does without this seed.
    """

    seed: int
    run: TrackedRun
    pruned: dict[tuple[str, float], TrackedRun]
    mining: dict[str, TrackedRun]
    networks: dict[str, TrackedRun]
    missing: tuple[str, ...] = ()

    def ids(self) -> list[str]:
        """Ids of all runs, sorted."""
        every = (self.run, *self.pruned.values(), *self.mining.values(), *self.networks.values())
        return sorted(run.id for run in every)


def find_seeds(store: Store, config: HtlConfig) -> list[SeedRuns]:
    """The runs of every seed that the options ask for and that is trained, in the order of the seeds."""
    seed_runs = runs.search(store, {names.KIND: "htl_seed", names.STUDY: config.study})
    by_seed: dict[int, SeedRuns] = {}
    for run in (run for run in seed_runs if names.MODEL in run.tags):  # the newest first; others may lack fingerprints
        seed = int(run.tags[names.SEED])
        choice = choice_of(run, config)
        precision = run.params().get("used/precision", "fp32")
        wanted = seed_key(choice.training_key(precision), seed) == run.tags[names.KEY]
        if wanted and seed in config.seeds and seed not in by_seed:
            by_seed[seed] = _seed_runs(run, seed, choice)
    return [by_seed[seed] for seed in config.seeds if seed in by_seed]


def choice_of(run: TrackedRun, config: HtlConfig) -> Choice:
    """What the options choose, given the data of a seed's run."""
    prefix = names.fingerprint_param("")
    prints = {name.removeprefix(prefix): value for name, value in run.params().items() if name.startswith(prefix)}
    return Choice(config, prints)


def _seed_runs(run: TrackedRun, seed: int, choice: Choice) -> SeedRuns:
    kinds = ("htl_pruned", "htl_mining", "htl_network")
    pruned, mining, networks = (_finished(run, kind) for kind in kinds)
    key = run.tags[names.KEY]
    levels = {(method, k): choice.variant_keys(key, method, k) for method, ks in choice.levels().items() for k in ks}
    variants = {variant: next((pruned[one] for one in keys if one in pruned), None) for variant, keys in levels.items()}
    mined = {method: mining.get(choice.mining_key(key, method)) for method in choice.mining_methods()}
    missing = [f"{method} at {k:g}" for (method, k), there in variants.items() if there is None]
    missing += [f"HTLs by {method}" for method, there in mined.items() if there is None]
    wanted = choice.network_keys(key, choice.partner_key(run.tags[names.TRAINING], seed))
    return SeedRuns(
        seed,
        run,
        {variant: there for variant, there in variants.items() if there is not None},
        {method: there for method, there in mined.items() if there is not None},
        {approach: networks[one] for approach, one in wanted.items() if one in networks},
        tuple(missing),
    )


def _finished(seed_run: TrackedRun, kind: str) -> dict[str, TrackedRun]:
    return {key: run for key, run in runs.children_by_key(seed_run, kind).items() if run.finished}


def not_done(config: HtlConfig, seed: SeedRuns) -> list[str]:
    """Sentences about what could not be done for a seed."""
    told = []
    for method, run in seed.mining.items():
        count = int(run.metrics()["htl_images"])
        if count < FEWEST:
            by = "" if method == config.mining.method else f" by pruning method {method}"
            n_images = len(read_table(run, names.HTLS))
            told.append(
                f"Seed {seed.seed}: {count} of {n_images} images are HTLs{by}, too few to fine-tune on; a lower tau"
                " finds more."
            )
    known = _known(config, seed)
    for approach in config.finetuning.baselines:
        if lacking := ARMS[approach].lacks(known):
            told.append(f"Seed {seed.seed}: no arm '{ARMS[approach].words}': {lacking}.")
        elif approach == DISAGREEMENT and HTL in seed.networks and approach not in seed.networks:
            told.append(f"Seed {seed.seed}: no arm '{ARMS[approach].words}': that other seed is not trained.")
    return sorted(told)


def not_asked(config: HtlConfig) -> list[str]:
    """A sentence about the arms that the options leave out."""
    left = [arm.words for name, arm in ARMS.items() if name not in config.finetuning.baselines]
    return [f"Arms that were not run (option baselines adds them): {'; '.join(left)}."] if left else []


def _known(config: HtlConfig, seed: SeedRuns) -> Known:
    setting = config.mining.setting
    table = read_table(seed.run, names.lesion_table("unlabelled" if setting == "semi" else "train"))
    return Known(table, setting == "supervised", len(config.seeds))


def noticed(seed: SeedRuns) -> list[str]:
    """What was noticed about the data when the seed was trained."""
    return read_text(seed.run, names.LESION_WARNINGS).splitlines()
