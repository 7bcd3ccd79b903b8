"""Networks: built by name, read from files, their prunable weights."""
