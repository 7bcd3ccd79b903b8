"""Training: the loop, losses, seeds."""
