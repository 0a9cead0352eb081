"""Metrics over relations to many: each relation's rows grouped by themselves."""
