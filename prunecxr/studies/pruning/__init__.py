"""Paper A: what a classifier forgets when it is pruned."""
