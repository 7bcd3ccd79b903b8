"""The answers of a localization study in sentences, every number taken from the tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from prunecxr.report.wording import MINUS, TIED, count, listing, number, p_value, percent, sparsity
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.pruning.sections.sentences import Answer

NAMES = {
    "plain": "no fine-tuning (baseline 1)",
    "focal": "focal loss (baseline 3)",
    "random": "random images (baseline 4)",
    "class": "images by class (baseline 5)",
    "sex": "images by sex (baseline 6)",
    "htl": "HTLs",
}
BOXES = {"semi": "pseudo-label's box", "weak": "Grad-CAM++ box"}
TESTED = {"htl share": "frequency among HTLs", "mean drop": "mean drop"}
METHODS = {
    "magnitude": "unstructured magnitude",
    "magnitude@channel": "structured magnitude",
    "magnitude@layer": "magnitude by layer",
    "random": "random",
    "random@channel": "random channels",
}


def answers(findings: HtlFindings) -> list[Answer]:
    """What opens the report, in the order of the paper's questions; those without data are left out."""
    tables = findings.tables
    found = [regions(findings)] if "effect" in tables else []
    found += [losers(findings)] if "drops" in tables else []
    found += [hard_images(findings), finetuning(findings), methods(findings), people(findings)]
    return found + ([planted(findings)] if "planted" in tables else [])


def regions(findings: HtlFindings) -> Answer:
    """Whether the foreground loses more than the background, at every pruned share (table 1)."""
    question, table = "Does pruning hurt the lesion more than its surroundings?", findings.tables["effect"]
    known = table[table["difference"].notna()]
    if known.empty:
        return Answer(question, "Cannot be told: no pruned network has been evaluated on training images.")
    more, clear = known[known["difference"] > 0], known[known["low"] > 0]
    shares = f"{count(len(known), 'pruned share')}"
    if len(clear) == len(known):
        verdict = f"Yes: the foreground loses more of its IoU at all of {shares}."
    elif len(more):
        verdict = f"At {len(more)} of {shares} the foreground loses more ({len(clear)} with an interval above 0)."
    else:
        verdict = f"No: at none of {shares} the foreground loses more."
    return Answer(question, verdict, " ".join(_effect(row) for row in known.itertuples(index=False)))


def losers(findings: HtlFindings) -> Answer:
    """How many images lose 40% or more (figure 2)."""
    table = findings.tables["drops"].set_index("region")
    fore, back = table.loc["foreground"], table.loc["background"]
    return Answer(
        "How many images does it hit hard?",
        f"{percent(fore['share_large'])} of the training images lose 40% or more of their foreground IoU.",
        f"Of their background IoU, {percent(back['share_large'])} (means of {count(int(fore['n_seeds']), 'seed')}, "
        f"{sparsity(findings.prune_fraction)} of the weights pruned). The median image loses "
        f"{percent(fore['median'])} and {percent(back['median'])}. (The paper, ISIC-2017 at 70%: 18% and 1%.)",
    )


def hard_images(findings: HtlFindings) -> Answer:
    """How many HTLs there are, and how far seeds agree on them."""
    table = findings.tables["mined"]
    numbers = listing(table["n_htl"].astype(int), len(table))
    agree = table["jaccard"].mean()
    overlap = "" if np.isnan(agree) else f" Two seeds agree on them with a Jaccard index of {number(agree)} on average."
    share = percent(table["share"].mean())
    return Answer(
        "Which images are hard to learn?",
        f"{share} of {int(table['n_images'].iloc[0]):,} images are HTLs (mean of {count(len(table), 'seed')}).",
        f"HTLs by seed: {numbers}. {_rule(findings)}{overlap}",
    )


def finetuning(findings: HtlFindings) -> Answer:
    """HTLs against as many random images, and against no fine-tuning (table 2)."""
    question, table = "Does fine-tuning on them help?", findings.tables["paired"]
    fore = table[table["metric"] == "foreground"].set_index("approach") if len(table) else table
    if "random" not in fore.index:
        if "plain" not in fore.index:
            return Answer(question, "Cannot be told: no network was fine-tuned on HTLs.")
        return Answer(question, *_against(fore.loc["plain"], "plain", findings.alpha))
    verdict, evidence = _against(fore.loc["random"], "random", findings.alpha)
    plain = f" Against {NAMES['plain']}: {_difference(fore.loc['plain'])}." if "plain" in fore.index else ""
    return Answer(question, verdict, f"{evidence}{plain}")


def methods(findings: HtlFindings) -> Answer:
    """Which pruning method costs most (table 3)."""
    question, table = "Which way of pruning costs most?", findings.tables["ablation"]
    wide = table.pivot_table(index="fraction", columns="method", values="foreground", sort=False).dropna()
    if wide.shape[1] < 2:
        return Answer(question, "Cannot be told: no pruned share at which several methods were evaluated.")
    worst = wide.idxmin(axis=1)
    verdict = (
        f"{_method(worst.iloc[0])[:1].upper()}{_method(worst.iloc[0])[1:]} pruning, at every share."
        if (worst == worst.iloc[0]).all()
        else "It depends on the share: "
        + listing(f"{_method(name)} at {sparsity(k)}" for k, name in worst.items())
        + "."
    )
    evidence = " ".join(
        f"{sparsity(k)}: "
        + ", ".join(f"{_method(name)} {number(value, 3)}" for name, value in row.sort_values().items())
        + "."
        for k, row in wide.iterrows()
    )
    return Answer(question, verdict, f"Foreground IoU on the test images, mean over seeds. {evidence}")


def people(findings: HtlFindings) -> Answer:
    """Sex and age of the patients of HTLs (figure 6)."""
    tests = findings.tables["group_tests"].set_index(["variable", "what"])
    clear = [
        f"{variable} ({TESTED[what]}, {p_value(row.p)})"
        for (variable, what), row in tests.iterrows()
        if row.p < findings.alpha
    ]
    verdict = f"They differ by {listing(clear)}." if clear else "No difference by sex or age is shown."
    if tests["p"].isna().all():
        verdict = "Cannot be told: too few images of known sex or age."
    said = (f"{_tested(variable, tests)} {_extremes(findings, variable)}" for variable in ("sex", "age"))
    return Answer("Whose images are they?", verdict, " ".join(said))


def planted(findings: HtlFindings) -> Answer:
    """Precision and recall of the HTLs for images that were drawn hard, against a random choice."""
    table = findings.tables["planted"]
    each, every = table.iloc[:-1], table.iloc[-1]
    question = "Do HTLs find the images that were drawn hard?"
    if np.isnan(every.precision):
        return Answer(question, "Cannot be told: there are no HTLs.")
    better = int((each["precision"] > each["random_precision_high"]).sum())
    worse = int((each["precision"] < each["random_precision_low"]).sum())
    of = count(len(each), "seed")
    if better == len(each):
        verdict = f"Yes: {number(every.lift, 1)} times as often as a random choice, in every one of {of}."
    elif better:
        verdict = f"In {better} of {of} more often than a random choice."
    elif worse:
        verdict = f"No: in {worse} of {of} less often than a random choice."
    else:
        verdict = f"No: in none of {of} more often than a random choice."
    shown = " ".join(
        f"Seed {row.seed}: precision {percent(row.precision)} (95% of random choices: "
        f"{percent(row.random_precision_low)} to {percent(row.random_precision_high)}, {p_value(row.p)}), "
        f"recall {percent(row.recall)}."
        for row in each.itertuples(index=False)
    )
    means = (
        f"Mean precision {percent(every.precision)} against {percent(every.random_precision)} at random, recall "
        f"{percent(every.recall)} against {percent(every.random_recall)}."
    )
    return Answer(question, verdict, f"{means} {shown}")


def approaches_caption(findings: HtlFindings) -> str:
    """HTLs against every other approach (table 2)."""
    table = findings.tables["paired"]
    fore = table[table["metric"] == "foreground"]
    said = (f"{NAMES.get(row.approach, row.approach)} {_difference(row)}" for row in fore.itertuples(index=False))
    return f"Foreground IoU of fine-tuning on HTLs minus: {'; '.join(said)}."


def method_caption(findings: HtlFindings) -> str:
    """Networks fine-tuned on the HTLs of each method, against the plain ones (figure 7)."""
    table = findings.tables["methods"]
    fore = table[table["metric"] == "foreground"]
    said = (f"{tuned_by(row.approach, findings)}: {_difference(row)}" for row in fore.itertuples(index=False))
    return f"Foreground IoU after fine-tuning minus before: {'; '.join(said)}."


def tuned_by(approach: str, findings: HtlFindings) -> str:
    """The pruning method whose HTLs an approach is fine-tuned on."""
    return _method(approach.partition(":")[2] or findings.method)


def subgroup_caption(findings: HtlFindings) -> str:
    """How often images of each planted subgroup are HTLs."""
    rows = (
        f"{row.subgroup} {percent(row.htl_rate)} ({percent(row.low)} to {percent(row.high)})"
        for row in findings.tables["subgroups"].itertuples(index=False)
    )
    return f"Share that are HTLs, mean over seeds, with 95% intervals: {', '.join(rows)}."


def group_caption(findings: HtlFindings, variable: str) -> str:
    """Test and extremes of one variable."""
    tests = findings.tables["group_tests"].set_index(["variable", "what"])
    return f"{_tested(variable, tests)} {_groups(findings, variable)}"


def _effect(row: Any) -> str:
    return (
        f"{sparsity(row.fraction)} pruned: foreground {_lost(row.drop_foreground)}, background "
        f"{_lost(row.drop_background)}, difference {_points(row.difference)} points (95% CI {_points(row.low)} to "
        f"{_points(row.high)})."
    )


def _lost(value: float) -> str:
    """A loss as a change: 0.12 -> '−12%', -0.03 -> '+3%'."""
    change = round(-value, 2) + 0.0  # no sign before a zero
    return f"+{percent(change)}" if change > 0 else percent(change)


def _points(value: float) -> str:
    return number(round(100 * value, 1) + 0.0, 1)


def _against(row: Any, name: str, alpha: float) -> tuple[str, str]:
    """Verdict and evidence of HTLs against an approach: shown only where the images and the seeds both show it."""
    better, worse = row.difference > 0, row.difference < 0
    by_images = row.low_images > 0 or row.high_images < 0
    by_seeds = bool(row.p_seeds < alpha)
    than = {"random": "fine-tuning on as many random images", "plain": "no fine-tuning"}[name]
    direction = "more" if better else "less" if worse else "exactly as much"
    if not (better or worse):
        verdict = f"Foreground IoU is the same as with {than}."
    elif by_images and by_seeds:
        verdict = f"{direction.capitalize()} than {than}."
    else:
        known = "not beyond what " + " and ".join(
            part for part, there in (("test images", by_images), ("seeds", by_seeds)) if not there
        )
        verdict = f"{direction.capitalize()} than {than}, but {known} may do by chance."
    return verdict, f"Foreground IoU, HTLs minus {NAMES[name]}: {_difference(row)}."


def _difference(row: Any) -> str:
    """'+0.012 (95% CI over images 0.003 to 0.020, over 3 seeds -0.010 to 0.034, P = 0.14)'."""
    sign = "+" if row.difference > 0 else ""
    over = f"95% CI over images {number(row.low_images, 3)} to {number(row.high_images, 3)}"
    seeds = ""
    if not np.isnan(row.low_seeds):
        seeds = (
            f", over {int(row.n_seeds)} seeds {number(row.low_seeds, 3)} to {number(row.high_seeds, 3)}, "
            f"{p_value(row.p_seeds)}"
        )
    return f"{sign}{number(row.difference, 3)} ({over}{seeds})"


def _rule(findings: HtlFindings) -> str:
    pruned = f"when {sparsity(findings.prune_fraction)} of the weights are pruned"
    box = BOXES.get(findings.setting)
    if findings.rule == "top":
        most = f"whose {box} changes most" if box else "that lose the largest share of their foreground IoU"
        return f"HTLs are the {percent(findings.tau)} of the images {most} {pruned}."
    amount = percent(findings.tau) if findings.rule == "relative" else f"{findings.tau:g}"
    if box:
        return f"An HTL is an image whose {box} changes by more than {findings.tau:g} (1 {MINUS} IoU) {pruned}."
    return f"An HTL is an image that loses more than {amount} of its foreground IoU {pruned}."


def _method(name: str) -> str:
    return METHODS.get(name, name)


def _tested(variable: str, tests: pd.DataFrame) -> str:
    share, drop = tests.loc[(variable, "htl share")], tests.loc[(variable, "mean drop")]
    unknown = f", {int(share.n_unknown):,} unknown left out" if share.n_unknown else ""
    return (
        f"{variable.capitalize()} (n{TIED}={TIED}{int(share.n):,}{unknown}): frequency among HTLs {p_value(share.p)}, "
        f"mean drop {p_value(drop.p)}."
    )


def _extremes(findings: HtlFindings, variable: str) -> str:
    """The known groups that are most and least frequent among HTLs, relative to the data."""
    rows = findings.tables["groups"]
    rows = rows[(rows["variable"] == variable) & (rows["group"] != "unknown") & rows["excess"].notna()]
    if rows.empty:
        return ""
    ends = [rows.loc[rows["excess"].idxmax()], rows.loc[rows["excess"].idxmin()]]
    return f"{'; '.join(_group(row) for row in ends[: len(rows)])}."


def _groups(findings: HtlFindings, variable: str) -> str:
    rows = findings.tables["groups"]
    rows = rows[rows["variable"] == variable]
    return f"{'; '.join(_group(row) for row in rows.itertuples(index=False))}."


def _group(row: Any) -> str:
    return (
        f"{row.group} {percent(row.share)} of images, {percent(row.htl_share)} of HTLs, mean drop "
        f"{number(row.mean_drop)} ({number(row.drop_low)} to {number(row.drop_high)})"
    )
