"""Probabilities of a model, and per-class scores from labels and probabilities."""
