"""A small Django project that shows the reports on synthetic and on real data."""
