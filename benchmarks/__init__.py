"""Measurements, each a ratio of two things in one run: ``make bench``."""
