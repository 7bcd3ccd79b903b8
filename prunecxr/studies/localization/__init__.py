"""Paper B: hard-to-learn samples, found by pruning."""
