"""Elements of the report."""
