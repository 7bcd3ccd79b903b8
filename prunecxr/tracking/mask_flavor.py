"""The name under which earlier versions stored localization networks: MLflow loads these by it."""

from prunecxr.tracking.flavor import _load_pyfunc as _load_pyfunc
from prunecxr.tracking.predictors import MaskPredictor as MaskPredictor
from prunecxr.tracking.predictors import MaskSettings as MaskSettings
