"""What a search for hyper-parameters knows of localization studies: it maximises what the plain network gets right."""

from __future__ import annotations

from prunecxr.learning.loop import EpochRecord
from prunecxr.studies.localization.config import HtlConfig
from prunecxr.studies.localization.material import LesionMaterial, prepare
from prunecxr.studies.localization.task import LocalizationTask, check, say_data
from prunecxr.studies.localization.training import SegmentationEpoch


class Searched:
    """The plain U-Nets of a localization study: foreground IoU, or balanced accuracy of diagnoses."""

    what = "validation foreground IoU, or balanced accuracy"

    def check(self, config: HtlConfig) -> None:
        check(config)

    def prepare(self, config: HtlConfig, quiet: bool = False) -> LesionMaterial:
        material = prepare(config)
        if not quiet:
            say_data(material)
        return material

    def task(self, config: HtlConfig, data: LesionMaterial) -> LocalizationTask:
        return LocalizationTask(config, data)

    def value(self, epoch: EpochRecord) -> float:
        if isinstance(epoch, SegmentationEpoch):
            return epoch.val_foreground
        return float(epoch.val_balanced_accuracy)  # type: ignore[attr-defined]  # of a network with a head

    def weights(self, config: HtlConfig) -> list[str]:  # noqa: ARG002 (U-Nets start from scratch)
        return []


SUBJECT = Searched()
