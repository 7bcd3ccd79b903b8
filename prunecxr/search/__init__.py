"""A search for hyper-parameters: what it may vary, where its trials are kept, whose turn it is. Knows no training."""
