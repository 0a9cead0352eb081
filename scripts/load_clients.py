"""What the clients of the load test ask, and the status that each answer must have. Locust runs this file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from random import SystemRandom

from locust import FastHttpUser, between, task

REPORTS = [
    "helpdesk.department_tickets", "helpdesk.department_totals", "helpdesk.employee_loads", "helpdesk.latest_tickets",
    "shop.category_sales", "shop.customer_balances", "shop.monthly_revenue", "shop.product_ranks",
]  # fmt: skip
# Parameters that a report does not run without.
REQUIRED = {"helpdesk.latest_tickets": "n=3"}
TICKETS = "/api/department-tickets/"
LATEST = "/api/latest-tickets/"
dice = SystemRandom()
# One at a time: drf-spectacular makes no two schemas at once. https://github.com/tfranzel/drf-spectacular/issues/1123
schemas = threading.Lock()  # Locust has made it one of gevent's
# The first bytes are read, and the rest is not.
TASTE = 1000


def number(most: int) -> int:
    return dice.randint(1, most)


def day() -> str:
    return f"2025-{number(12):02}-{number(28):02}"


def report() -> str:
    name = dice.choice(REPORTS)
    return f"/api/reports/{name}/?{REQUIRED.get(name, '')}"


# By name, the address and the status of the answer.
LISTS: dict[str, tuple[Callable[[], str], int]] = {
    "a page": (lambda: f"{TICKETS}?page={number(20)}&format=json", 200),
    "a page of 200": (lambda: f"{TICKETS}?page_size=200&format=json", 200),
    "filtered": (lambda: f"{TICKETS}?open_tickets__gte={number(9)}&opened_from={day()}&format=json", 200),
    "searched": (lambda: f"{TICKETS}?search={dice.choice('abcdef')}&priorities=1&format=json", 200),
    "ordered": (lambda: f"{TICKETS}?ordering=-avg_resolution,name&page={number(9)}&format=json", 200),
    "by cursor": (lambda: f"{LATEST}?n={number(20)}&ordering=assignee&format=json", 200),
    "estimated": (lambda: f"/api/employee-loads/?page={number(50)}&format=json", 200),
    "not counted": (lambda: f"/api/customer-balances/?page={number(5)}&since={day()}&format=json", 200),
    "any report": (lambda: f"{report()}&format=json", 200),
    "one row": (lambda: f"{TICKETS}{number(500)}/", 200),
}
OTHERS: dict[str, tuple[Callable[[], str], int]] = {
    "catalogue": (lambda: "/api/reports/?format=json", 200),
    "no such row": (lambda: f"{TICKETS}{number(500) + 1000}/", 404),
    "beyond the last page": (lambda: f"{TICKETS}?page=200&format=json", 404),
    "beyond the limit": (lambda: f"{TICKETS}?page=2000&format=json", 400),
    "wrong parameter": (lambda: f"{TICKETS}?opened_from=never&format=json", 400),
    "unknown parameter": (lambda: f"{TICKETS}?opend_from={day()}&format=csv", 400),
    "no such report": (lambda: "/api/reports/helpdesk.nothing/", 404),
}
DOWNLOADS: dict[str, tuple[Callable[[], str], int]] = {
    form: (lambda form=form: f"{report()}&format={form}", 200)  # type: ignore[misc]
    for form in ("csv", "ndjson", "json-array", "xlsx", "parquet")
}


class Client(FastHttpUser):
    """Somebody who is logged in, and asks one thing after another."""

    wait_time = between(0, 0.2)

    def on_start(self) -> None:
        self.client.client.default_headers["Cookie"] = f"sessionid={os.environ['LOAD_SESSION']}"

    @task(12)
    def read(self) -> None:
        self.ask(LISTS)

    @task(4)
    def ask_for_something_else(self) -> None:
        self.ask(OTHERS)

    @task(3)
    def download(self) -> None:
        self.ask(DOWNLOADS)

    @task(1)
    def give_up(self) -> None:
        address = f"{LATEST}?n=20&format={dice.choice(('csv', 'ndjson', 'parquet'))}"
        with self.client.get(address, name="given up", stream=True, catch_response=True) as response:
            if response.status_code == 200:
                response.stream.read(TASTE)
                response.success()
        self.client.client.clientpool.close()

    @task(1)
    def read_the_schema(self) -> None:
        with schemas:
            self.get("schema", "/api/schema/", 200)

    def ask(self, among: dict[str, tuple[Callable[[], str], int]]) -> None:
        name = dice.choice(list(among))
        address, status = among[name]
        self.get(name, address(), status)

    def get(self, name: str, address: str, status: int) -> None:
        with self.client.get(address, name=name, catch_response=True) as response:
            if response.status_code == status:
                response.success()
            else:
                response.failure(f"{response.status_code} in place of {status}: {(response.text or '')[:200]}")
