"""Paper B: hard-to-learn samples of a localization network, found by pruning it."""
