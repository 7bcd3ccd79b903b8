"""Arrays and tables in, tables out."""
