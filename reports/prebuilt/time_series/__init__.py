"""Totals over time."""
