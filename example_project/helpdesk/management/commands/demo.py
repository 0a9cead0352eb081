"""Migrate, load, compare, serve: the example project in one command."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection
from django.urls import reverse

from example_project import comparison
from example_project.dashboards import loading as dashboards
from example_project.flights import loading as flights
from example_project.flights.models import Flight
from example_project.flights.questions import questions as flights_questions
from example_project.helpdesk import loading as helpdesk
from example_project.helpdesk.questions import questions as helpdesk_questions
from example_project.shop import loading as shop
from example_project.shop.questions import questions as shop_questions
from reports import registered


class Command(BaseCommand):
    """``python example_project/manage.py demo``."""

    help = "Migrate, load the data, compare the ORM's way with the report's way, and serve the pages."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tickets", type=int, default=200_000, help="default 200000; 2100000 is where it hurts")
        parser.add_argument("--serve", action=BooleanOptionalAction, default=True, help="serve the pages afterwards")
        parser.add_argument("--port", type=int, default=8000, help="default 8000")

    def handle(self, *args: Any, tickets: int, serve: bool, port: int, **options: Any) -> None:
        if tickets < 1:
            raise CommandError(f"--tickets is {tickets}; it must be at least 1.")
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise CommandError(f"cannot connect to the PostgreSQL that DATABASE_URL names: {error}") from error
        call_command("migrate", verbosity=0)
        helpdesk.load(tickets, self.stdout)
        shop.load(tickets // shop.TICKETS_PER_ORDER, self.stdout)
        dashboards.load(self.stdout)
        flights.load(self.stdout)
        self._compare(tickets)
        if serve:
            self._serve(port)

    def _compare(self, tickets: int) -> None:
        staff = User.objects.get(username="staff")
        questions = helpdesk_questions(staff) + shop_questions(staff)
        if Flight.objects.exists():
            questions += flights_questions()
        version = connection.cursor().execute("SHOW server_version").fetchone()[0]
        self.stdout.write(
            f"\nPostgreSQL {version}; {tickets:,} tickets, {tickets // helpdesk.TICKETS_PER_INVOICE:,} invoices,"
            f" {helpdesk.DEPARTMENTS} departments, {tickets // shop.TICKETS_PER_ORDER:,} orders;"
            f" best of {comparison.RUNS} runs\n\n"
        )
        comparisons = [comparison.compare(question) for question in questions]
        self.stdout.write(comparison.table(comparisons))
        self.stdout.write("\n" + comparison.notes(comparisons))

    def _serve(self, port: int) -> None:
        address = f"http://127.0.0.1:{port}"
        paths = [
            reverse("index"),
            reverse("api-root"),
            *(reverse("report", args=name.split(".")) for name in registered()),
        ]
        self.stdout.write("\n".join(["", "Serving; Ctrl-C ends it:", *(f"  {address}{path}" for path in paths), ""]))
        call_command("runserver", f"127.0.0.1:{port}", use_reloader=False)
