"""Whether fine-tuning on HTLs helps."""

from __future__ import annotations

from typing import Any

from prunecxr.report.section import Answer
from prunecxr.studies.localization.sections.findings import HtlFindings
from prunecxr.studies.localization.sections.shared import APPROACHES, difference


def answer(findings: HtlFindings) -> Answer:
    """HTLs against as many random images, and against no fine-tuning (table 2)."""
    question, table = "Does fine-tuning on them help?", findings.tables["paired"]
    fore = table[table["metric"] == "foreground"].set_index("approach") if len(table) else table
    if "random" not in fore.index:
        if "plain" not in fore.index:
            return Answer(question, "Cannot be told: no network was fine-tuned on HTLs.")
        return Answer(question, *_against(fore.loc["plain"], "plain", findings.alpha))
    verdict, evidence = _against(fore.loc["random"], "random", findings.alpha)
    plain = f" Against {APPROACHES['plain']}: {difference(fore.loc['plain'])}." if "plain" in fore.index else ""
    return Answer(question, verdict, f"{evidence}{plain}")


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
        causes = [cause for cause, excluded in (("test images", by_images), ("seeds", by_seeds)) if not excluded]
        verdict = f"{direction.capitalize()} than {than}, but not beyond what {' and '.join(causes)} may do by chance."
    return verdict, f"Foreground IoU, HTLs minus {APPROACHES[name]}: {difference(row)}."
