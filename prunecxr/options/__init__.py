"""Options: what can be asked for, read and checked."""
