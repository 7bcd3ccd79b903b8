"""prunecxr: what a medical image classifier forgets when it is pruned, tracked in MLflow."""

__version__ = "0.1.0"
