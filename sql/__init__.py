"""The prebuilt templates, one query per file; installed as ``reports.sql``."""
