"""Tracking: the only part that knows MLflow."""
