"""Assertions about reports, for a project's own tests; with pytest or unittest.

One line in a pytest module makes a test of each example of each report::

    from reports.testing.plugin import test_every_report
"""

from reports.testing.examples import ExampleCase, every_example
from reports.testing.matches import assert_matches
from reports.testing.plans import assert_max_cost, assert_plan
from reports.testing.queries import assert_query
from reports.testing.repeated import assert_no_repeated_subqueries
from reports.testing.scans import assert_scans

__all__ = [
    "ExampleCase",
    "assert_matches",
    "assert_max_cost",
    "assert_no_repeated_subqueries",
    "assert_plan",
    "assert_query",
    "assert_scans",
    "every_example",
]
