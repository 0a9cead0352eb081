"""Let 50 clients ask the example project's API for everything it has, under gunicorn and then under uvicorn.

    python -m scripts.with_postgres -- python -m scripts.load [--seconds 60] [--clients 50] [gthread] [uvicorn]

The exit code is not 0 when an answer had another status than it should, or when a connection to PostgreSQL was left at
work or open. What is asked is in ``scripts/load_clients.py``; Locust prints requests per second and times.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django

from scripts.environment import CHECKOUT
from scripts.web_server import HOST, WebServer, web_server

APPLICATIONS = {"gthread": "example_project.wsgi:application", "uvicorn": "example_project.asgi:application"}
TICKETS = 20_000
# Seconds that the server has to end what clients gave up.
PATIENCE = 20
LEFT = (
    "SELECT pid, state, left(query, 200) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"
)


@contextmanager
def database() -> Iterator[str]:
    """Make a database with the example project's data, and drop it at the end; give the cookie of a session."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from example_project.helpdesk import loading as helpdesk
    from example_project.shop import loading as shop

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        helpdesk.load(TICKETS, sys.stderr)  # type: ignore[arg-type]  # a text stream as well
        shop.load(TICKETS // shop.TICKETS_PER_ORDER, sys.stderr)  # type: ignore[arg-type]
        client = Client()
        client.force_login(User.objects.get(username="staff"))
        yield client.cookies["sessionid"].value
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def run(kind: str, session: str, options: argparse.Namespace) -> list[str]:
    """Let the clients ask one server; return what was wrong."""
    from django.db import connection

    from scripts.load_settings import DATABASE

    environment = os.environ | {"LOAD_DATABASE": DATABASE}
    with web_server(kind, APPLICATIONS[kind], environment, workers=2, threads=8) as server:
        print(f"==== {kind}: {options.clients} clients, {options.seconds} seconds", flush=True)
        faults = locust(server, session, options)
        left = connections_left(connection)
        if left:
            faults.append("connections left: " + "; ".join(map(str, left)))
        if faults:
            print(server.log()[-10_000:], flush=True)
    return [f"{kind}: {fault}" for fault in faults]


def locust(server: WebServer, session: str, options: argparse.Namespace) -> list[str]:
    clients = ["--users", str(options.clients), "--spawn-rate", str(options.clients)]
    command = [sys.executable, "-m", "locust", "-f", str(CHECKOUT / "scripts" / "load_clients.py"), "--headless"]
    command += [*clients, "--run-time", f"{options.seconds}s", "--host", f"http://{HOST}:{server.port}"]
    command += ["--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "1", "--stop-timeout", str(PATIENCE)]
    done = subprocess.run(command, env=os.environ | {"LOAD_SESSION": session}, check=False)
    return [f"locust exited with {done.returncode}"] if done.returncode else []


def connections_left(connection: Any) -> list[Any]:
    """Return the server's connections that are still there when it has had its time."""
    end = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while True:
            cursor.execute(LEFT, [connection.settings_dict["OPTIONS"]["application_name"]])
            left: list[Any] = cursor.fetchall()
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description="Ask the example project's API for everything it has.")
    parser.add_argument("kinds", nargs="*", metavar="server", help=f"of: {', '.join(APPLICATIONS)}; default all")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=50)
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(APPLICATIONS):
        parser.error(f"no such server: {', '.join(sorted(unknown))}")
    os.environ["DJANGO_SETTINGS_MODULE"] = "scripts.load_settings"
    django.setup()
    with database() as session:
        faults = [fault for kind in options.kinds or APPLICATIONS for fault in run(kind, session, options)]
    print("\n".join(faults) or "every answer was as it should be, and no connection was left")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
