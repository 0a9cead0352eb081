"""Two statements' rows compared, on the data."""
