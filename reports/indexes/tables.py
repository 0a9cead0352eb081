"""What the catalogs say of the tables that may get an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from reports.explain import json_of
from reports.indexes.candidates import Candidate
from reports.indexes.comparisons import Key, Kind

_KINDS = {"f": "a foreign table", "p": "a partitioned table", "v": "a view"}
# Types that no B-tree sorts.
_UNSORTED = ("box", "circle", "json", "line", "lseg", "path", "point", "polygon", "xml")

# A table that was never analyzed has an unknown number of rows: as many as fit, at 32 bytes each.
_TABLES = """
SELECT n.nspname, c.relname, format('%%I.%%I', n.nspname, c.relname), c.relkind::text,
    CASE WHEN c.reltuples > 0 AND c.relpages > 0
        THEN c.reltuples / c.relpages * pg_relation_size(c.oid) / current_setting('block_size')::int
        ELSE pg_relation_size(c.oid) / 32 END::bigint,
    pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE'),
    (SELECT jsonb_object_agg(attname, jsonb_build_array(quote_ident(attname), format_type(atttypid, NULL)))
     FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'columns', (SELECT jsonb_agg(a.attname ORDER BY k.place)
                    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
                    LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0),
        'options', i.indoption::int2[], 'keys', i.indnkeyatts, 'unique', i.indisunique,
        'partial', i.indpred IS NOT NULL)), '[]')
     FROM pg_index AS i JOIN pg_class AS o ON o.oid = i.indexrelid JOIN pg_am AS m ON m.oid = o.relam
     WHERE i.indrelid = c.oid AND i.indisvalid AND m.amname = 'btree')
FROM unnest(%s::text[], %s::text[]) AS asked (schema, name)
JOIN pg_namespace AS n ON n.nspname = asked.schema
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = asked.name
"""


@dataclass(frozen=True, slots=True)
class Index:
    """A B-tree that is there. A column is None where it has an expression."""

    columns: tuple[Key | None, ...]
    include: tuple[str, ...]
    is_unique: bool
    is_partial: bool

    def covers(self, wanted: Candidate) -> bool:
        """Return whether it serves as well as a wanted one: it begins with its columns and has all of them.

        A partial index may be of other rows, so it is not counted. Read backwards, an order is the opposite one.
        """
        if self.is_partial:
            return False
        first = self.columns[: len(wanted.equal)]
        rest = self.columns[len(wanted.equal) : len(wanted.columns)]
        turned = tuple(Key(key.column, not key.descending) for key in wanted.keys)
        stored = {*self.include, *(key.column for key in self.columns if key)}
        return (
            {key.column if key else None for key in first} == set(wanted.equal)
            and rest in (wanted.keys, turned)
            and stored.issuperset(wanted.include)
        )

    def finds_one_row(self, wanted: Candidate) -> bool:
        """Return whether it leads to one row for the values that are asked for, so that a longer one gains nothing."""
        columns = {key.column if key else None for key in self.columns}
        return self.is_unique and not self.is_partial and columns.issubset(wanted.equal)


@dataclass(frozen=True, slots=True)
class Table:
    """A table. ``quoted`` is its name in SQL; ``rows`` are as many as the planner thinks.

    ``columns`` have by name the name in SQL and the type.
    """

    schema: str
    name: str
    quoted: str
    kind: str
    rows: int
    may_index: bool
    columns: Mapping[str, tuple[str, str]]
    indexes: tuple[Index, ...]

    @property
    def label(self) -> str:
        """Its name with the schema."""
        return f"{self.schema}.{self.name}"

    def refusal(self, most_rows: int) -> str | None:
        """Return why no index is tried on it, None when one may be."""
        if self.kind in _KINDS:
            return f"it is {_KINDS[self.kind]}"
        if not self.may_index:
            return "the role of this connection may not create an index on it: that is for its owner"
        if self.rows > most_rows:
            return (
                f"it has about {self.rows:,} rows, and its writers would wait while an index is built "
                f"(most_rows, --advise-rows: {most_rows:,})"
            )
        return None

    def needless(self, wanted: Candidate) -> str | None:
        """Return why an index cannot be made or gains nothing, None when it may be tried."""
        if any(self.columns.get(name, ("", "json"))[1] in _UNSORTED for name in wanted.names):
            return "a column is of a type that no index sorts"
        if any(index.covers(wanted) or index.finds_one_row(wanted) for index in self.indexes):
            return "an index that is there serves as well"
        return None

    def definition(self, wanted: Candidate) -> str:
        """Return what follows ``CREATE INDEX … ON``."""
        keys = [f"{self._sql(key.column)}{' DESC' if key.descending else ''}" for key in wanted.columns]
        text = f"{self.quoted} ({', '.join(keys)})"
        if wanted.include:
            text += f" INCLUDE ({', '.join(map(self._sql, wanted.include))})"
        if wanted.where:
            text += f" WHERE {' AND '.join(self._test(column, kind) for column, kind in wanted.where)}"
        return text

    def _sql(self, column: str) -> str:
        return self.columns[column][0]

    def _test(self, column: str, kind: Kind) -> str:
        name = self._sql(column)
        return {Kind.TRUE: name, Kind.FALSE: f"NOT {name}"}.get(kind, f"{name} {kind}")


def read_tables(connection: BaseDatabaseWrapper, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Table]:
    """Return the tables of (schema, name)."""
    asked = sorted(set(names))
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, [[schema for schema, _ in asked], [name for _, name in asked]])
        found = cursor.fetchall()
    return {(row[0], row[1]): _table(*row) for row in found}


def _table(*row: Any) -> Table:
    schema, name, quoted, kind, rows, may_index, columns, indexes = row
    return Table(
        schema=schema,
        name=name,
        quoted=quoted,
        kind=kind,
        rows=rows,
        may_index=may_index,
        columns={column: (sql, type_) for column, (sql, type_) in json_of(columns).items()},
        indexes=tuple(_index(**index) for index in json_of(indexes)),
    )


def _index(columns: list[str | None], options: list[int], keys: int, unique: bool, partial: bool) -> Index:
    sorted_by = zip(columns[:keys], options, strict=True)
    return Index(
        # Bit 1 is DESC, bit 2 NULLS FIRST. An order that puts NULL elsewhere than DESC or ASC alone is another one.
        columns=tuple(Key(name, option == 3) if name and option in (0, 3) else None for name, option in sorted_by),
        include=tuple(name for name in columns[keys:] if name),
        is_unique=unique,
        is_partial=partial,
    )
