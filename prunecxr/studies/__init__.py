"""Studies: each puts the stages together for one question."""
