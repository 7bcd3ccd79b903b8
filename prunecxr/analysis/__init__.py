"""Statistics of the pruning study: arrays and tables in, tables out. Knows no files and no server."""
