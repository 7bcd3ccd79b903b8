"""Searches for hyper-parameters (Optuna)."""
