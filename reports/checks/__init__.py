"""System checks: what can be known of reports before one runs.

Without a database, ``reports`` runs on each report, a ``subject``, one function for each kind of fault: ``clashes``,
``conditions``, ``examples``, ``names`` (with ``context_names``), ``ordering``, ``quoting``, ``sql_text``, ``unread``;
on each template ``words``; once ``folders``, ``engines`` and ``settings``. What templates read is found by ``reading``
in their ``trees``: one class in three files, ``expressions``, ``statements`` and ``reading``, for which ``values`` are
the names that they come from.

With one, ``database`` chooses the reports and ``trial`` tries each with its cases: ``unrendered`` keeps the lines that
no case renders, ``refusals`` says what PostgreSQL refuses, ``declared`` compares columns, ``counting`` the numbers of
rows. They give ``faults``, of which those of several cases become one message.

``places`` words for both where a fault is.
"""

from __future__ import annotations

from reports.checks.database import check_database
from reports.checks.reports import check_reports

__all__ = ["check_database", "check_reports"]
