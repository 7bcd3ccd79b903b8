"""The name under which earlier versions pickled the head of a weakly supervised U-Net."""

from prunecxr.networks.unet import ClassificationHead as ClassificationHead
