"""Trees, intervals and processes."""
