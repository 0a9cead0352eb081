"""Metrics over several relations, side by side, and the page that is cut first."""
