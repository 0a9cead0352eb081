"""Subqueries that share a scan, and joins that multiply one another: which, and what they become."""
