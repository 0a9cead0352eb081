"""Random rows and random chains of annotations, and for each chain whether its subqueries must share a scan.

A chain is the Python text that a project would hold, so that a failing one can be read, and pasted into a shell. Which
of its subqueries must share a scan is known from how the chain was built: nothing here reads SQL, or asks the rewriter.

The accepted shapes. Subqueries of one SELECT share a scan when they read the same table with the same joins, correlated
by the same columns, each by equality, and are

1. one aggregate, grouped by the correlation's columns: NULL where there is no row. Any of COUNT, COUNT(DISTINCT), SUM,
   AVG, MIN, MAX, STDDEV, VARIANCE, BOOL_AND, BOOL_OR, and ARRAY_AGG, STRING_AGG, JSONB_AGG with an ORDER BY of their
   own; over a column or an expression, with a FILTER or without; COALESCE or arithmetic around it, within or without;
2. the same without GROUP BY: COUNT is 0 where there is no row;
3. EXISTS and NOT EXISTS;
4. a column of the first row, ORDER BY … LIMIT 1: with others of the same filters and the same ORDER BY.

Aggregates of one SELECT over several to-many joins are read by branches, each for itself, when it is grouped by the key
that these hang on, and each aggregate gives the same however often a row comes: COUNT(DISTINCT), MIN, MAX, BOOL_OR.

Filters of 1 to 3 may differ. The correlation may be of several columns, over a join or a many-to-many relation, and of
columns that hold NULL. The subqueries may stand in SELECT, WHERE, HAVING and ORDER BY, in an argument of an outer
aggregate, in other annotations (there they are written once more), in a SELECT within another, in the arms of a union.
The outer SELECT may have joins, DISTINCT, GROUP BY over columns, LIMIT and OFFSET.

Not accepted, and here to be left alone or to be right: what has no correlation, one by inequality or by OR, a column of
the outer row in a filter, OFFSET, a window function, an aggregate whose order is not said, a volatile function, an
outer GROUP BY over a subquery, a subquery within the filter of another, sums over joins that multiply their rows.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import django
from django.contrib.postgres import aggregates as postgres
from django.contrib.postgres.expressions import ArraySubquery
from django.db import models as django_models
from django.db import transaction
from django.db.models import aggregates, functions
from django.db.models import expressions as django_expressions
from hypothesis import strategies as st

from tests.models import Depot, Label, Parcel, Scan

# The rows.

ZONES = ("north", "north", "south", "", None)
KINDS = ("a", "a", "b", "7", "100%", None)
_NOON = dt.datetime(2026, 3, 7, 12, tzinfo=dt.UTC)
_PLACES = st.integers(1, 4)


def mostly(one: st.SearchStrategy[Any], other: st.SearchStrategy[Any], times: int) -> st.SearchStrategy[Any]:
    """Return the one, so many times as often as the other; one_of() would take each of them as often."""
    return st.sampled_from([*[one] * times, other]).flatmap(lambda chosen: chosen)


def _nullable(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return mostly(strategy, st.none(), 4)


_depots = st.fixed_dictionaries(
    {
        "partner_id": _nullable(_PLACES),
        "name": st.sampled_from(["x", "y", "z"]),
        "zone": st.sampled_from(ZONES),
        "kind": st.sampled_from(KINDS),
        "size": _nullable(st.integers(-1, 3)),
    }
)
# Multiples of a quarter: their sums are the same in every order.
_parcels = st.fixed_dictionaries(
    {
        "depot_id": _nullable(_PLACES),
        "origin_id": _nullable(_PLACES),
        "zone": st.sampled_from(ZONES),
        "status": st.sampled_from(KINDS),
        "weight": _nullable(st.integers(-2, 5)),
        "amount": _nullable(st.sampled_from([Decimal("0.00"), Decimal("10.50"), Decimal("-3.25"), Decimal("9e15")])),
        "rate": _nullable(st.integers(-8, 40).map(lambda quarters: quarters / 4)),
        "is_urgent": st.sampled_from([True, False, None]),
        "day": _nullable(st.integers(0, 400).map(lambda days: (_NOON + dt.timedelta(days)).date())),
        "at": _nullable(st.integers(0, 40).map(lambda hours: _NOON + dt.timedelta(hours=hours))),
    }
)
_scans = st.fixed_dictionaries(
    {
        "parcel_id": _nullable(st.integers(1, 6)),
        "depot_id": _nullable(_PLACES),
        "status": st.sampled_from(KINDS),
        "weight": _nullable(st.integers(-2, 5)),
        "at": _nullable(st.integers(0, 40).map(lambda hours: _NOON + dt.timedelta(hours=hours))),
    }
)


@dataclass(frozen=True)
class Rows:
    """What is in the tables. Keys count from 1; a relation to a row that is not there is NULL."""

    depots: Sequence[Mapping[str, Any]]
    parcels: Sequence[Mapping[str, Any]]
    scans: Sequence[Mapping[str, Any]]
    labels: Sequence[str | None]
    labelled: Sequence[tuple[int, int]]

    @contextmanager
    def stored(self, *, backwards: bool = False) -> Iterator[None]:
        """Put the rows into the tables within the block; ``backwards``, so that scans give them in another order."""
        step = -1 if backwards else 1
        with transaction.atomic():
            Depot.objects.bulk_create(self._instances(Depot, self.depots)[::step])
            Label.objects.bulk_create([Label(pk=n, kind=kind) for n, kind in enumerate(self.labels, 1)][::step])
            Parcel.objects.bulk_create(self._instances(Parcel, self.parcels)[::step])
            Scan.objects.bulk_create(self._instances(Scan, self.scans)[::step])
            Parcel.labels.through.objects.bulk_create(
                [
                    Parcel.labels.through(parcel_id=parcel, label_id=label)
                    for parcel, label in self.labelled
                    if parcel <= len(self.parcels) and label <= len(self.labels)
                ][::step]
            )
            yield
            transaction.set_rollback(True)

    def _instances(self, model: type[django_models.Model], rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        bounds = {"parcel_id": len(self.parcels)}
        return [
            model(
                pk=pk,
                **{
                    name: None if name.endswith("_id") and (value or 0) > bounds.get(name, len(self.depots)) else value
                    for name, value in row.items()
                },
            )
            for pk, row in enumerate(rows, 1)
        ]


def _several(one: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[list[Any]]:
    """Return some rows, and now and then none or one."""
    return mostly(st.lists(one, min_size=least, max_size=most), st.lists(one, max_size=1), 7)


rows = st.builds(
    Rows,
    depots=_several(_depots, 3, 5),
    parcels=_several(_parcels, 5, 14),
    scans=_several(_scans, 4, 10),
    labels=_several(st.sampled_from(["a", "b", None]), 2, 3),
    labelled=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3)), max_size=8, unique=True),
)


# The chains.


@dataclass(frozen=True)
class Chain:
    """A chain of annotations: ``text`` gives its answer.

    ``scans`` has, for each scan that subqueries of accepted shapes can share, how many of these there are at least; a
    scan is (table, what makes it another one). ``is_apart`` says that the outer SELECT reads none of these tables
    itself, and that nothing in it is of another shape: its scans can be counted.
    """

    text: str
    scans: Mapping[tuple[str, str], int]
    is_ordered: bool = True
    is_apart: bool = True

    @property
    def is_accepted(self) -> bool:
        return any(count > 1 for count in self.scans.values())

    @property
    def fewest(self) -> dict[str, int]:
        """How many scans of each table suffice."""
        return Counter(table for table, _ in self.scans)

    def answer(self) -> Any:
        """Run it as Django does."""
        return eval(self.text, dict(NAMES))  # noqa: S307  the text is made above

    def __repr__(self) -> str:
        return f"{self.text}\n{dict(self.scans)}"


def joined(expression: Any, **options: Any) -> Any:
    """Return STRING_AGG as the Django that runs writes it."""
    agg = aggregates.StringAgg if django.VERSION >= (6, 0) else postgres.StringAgg
    return agg(expression, delimiter=django_models.Value("-"), **options)


NAMES: dict[str, Any] = {
    **{name: getattr(django_models, name) for name in django_models.__all__},
    **{name: getattr(functions, name) for name in functions.__all__},
    **{name: getattr(postgres, name) for name in ("ArrayAgg", "BoolAnd", "BoolOr", "JSONBAgg")},
    "ArraySubquery": ArraySubquery,
    "Combinable": django_expressions.Combinable,
    "joined": joined,
    "NOON": _NOON,
    **{model.__name__: model for model in (Depot, Label, Parcel, Scan)},
}
"""What a chain's text may name."""
OUTPUT = {
    "integer": "BigIntegerField()",
    "decimal": "DecimalField(max_digits=40, decimal_places=6)",
    "float": "FloatField()",
    "text": "TextField()",
}
NOTHING = {"integer": "0", "decimal": "Decimal(0)", "float": "0.0", "text": '"none"'}
NAMES["Decimal"] = Decimal

INTEGER, DECIMAL, FLOAT, TEXT, BOOLEAN, OTHER = "integer", "decimal", "float", "text", "boolean", "other"


@dataclass(frozen=True)
class Correlation:
    """What ties a subquery to the outer row: the arguments of its filter(), and the columns of its groups."""

    outer: str
    inner: str
    keys: str
    group: str
    is_over_outer_join: bool = False

    @property
    def table(self) -> str:
        return table_of(self.inner)


def table_of(model: str) -> str:
    return f"tests_{model.lower()}"


TO_DEPOT = Correlation("Depot", "Parcel", 'depot=OuterRef("pk")', '"depot"')
CORRELATIONS = (
    TO_DEPOT,
    TO_DEPOT,
    Correlation("Depot", "Parcel", 'origin=OuterRef("pk")', '"origin"'),
    Correlation("Depot", "Parcel", 'depot=OuterRef("partner")', '"depot"'),
    Correlation("Depot", "Parcel", 'zone=OuterRef("zone")', '"zone"'),
    Correlation("Depot", "Parcel", 'zone=OuterRef("zone"), status=OuterRef("kind")', '"zone", "status"'),
    Correlation("Depot", "Parcel", 'depot=OuterRef("pk"), zone=OuterRef("zone")', '"depot", "zone"'),
    Correlation("Depot", "Parcel", 'depot__zone=OuterRef("zone")', '"depot__zone"'),
    Correlation("Label", "Parcel", 'labels=OuterRef("pk")', '"labels"'),
    Correlation("Depot", "Scan", 'depot=OuterRef("pk")', '"depot"'),
    Correlation("Depot", "Scan", 'parcel__depot=OuterRef("pk")', '"parcel__depot"'),
    Correlation("Parcel", "Scan", 'parcel=OuterRef("pk")', '"parcel"'),
    Correlation("Parcel", "Scan", 'parcel__depot=OuterRef("depot")', '"parcel__depot"'),
    Correlation("Parcel", "Scan", 'depot=OuterRef("depot__partner")', '"depot"', is_over_outer_join=True),
    Correlation("Parcel", "Parcel", 'depot=OuterRef("depot")', '"depot"'),
)
OUTER_FILTERS = {
    "Depot": (
        "",
        "",
        "",
        "",
        '.filter(kind__in=["a", "b"])',
        '.exclude(zone="south")',
        '.filter(partner__zone="north")',
        ".filter(parcels__weight__gt=0)",
        '.filter(parcels__status="a").distinct()',
    ),
    "Parcel": ("", "", "", '.filter(status="a")', '.filter(depot__zone="north")', ".filter(labels__isnull=True)"),
    "Label": ("", "", ".filter(kind__isnull=False)"),
}
# Filters over a relation: the subquery gets its joins.
JOINS = {
    "Parcel": {"labels": "labels__kind", "depot": "origin__zone", "scans": "scans__status"},
    "Scan": {"parcel": "parcel__zone"},
}
INTEGERS = (
    'Count("*")',
    'Count("*")',
    'Count("weight")',
    'Count("status", distinct=True)',
    'Sum("weight")',
    'Sum("weight", distinct=True)',
    'Sum("weight", default=0)',
    'Max("weight")',
    'Min("weight")',
    'Sum(F("weight") * 2 + 1)',
    'Sum(Case(When(status="a", then=F("weight")), default=Value(0)))',
    "Count(Case(When(weight__gt=1, then=Value(1))))",
    'Count("id", filter=Q(status="a") | Q(weight__lt=1))',
    'Sum("weight", filter=Q(status__in=["a", "7"]))',
    'Count("*") + Sum("weight")',
)
AGGREGATES = {
    "Scan": (
        *((text, INTEGER) for text in INTEGERS),
        ('Avg("weight")', FLOAT),
        ('StdDev("weight")', FLOAT),
        ('Min("status")', TEXT),
        ('Max("at")', OTHER),
        ('ArrayAgg("status", order_by="id")', OTHER),
        ('joined("status", order_by="-id")', TEXT),
    ),
    "Parcel": (
        *((text, INTEGER) for text in INTEGERS),
        ('Avg("weight")', FLOAT),
        ('Avg("weight", filter=~Q(status="b"))', FLOAT),
        ('StdDev("weight")', FLOAT),
        ('Variance("weight", sample=True)', FLOAT),
        ('Sum("rate")', FLOAT),
        ('Avg("rate")', FLOAT),
        ('StdDev("rate", sample=True)', FLOAT),
        ('Sum("amount")', DECIMAL),
        ('Avg("amount")', DECIMAL),
        ('Max("amount")', DECIMAL),
        ('Sum(F("amount") * F("weight"))', DECIMAL),
        ('Coalesce(Sum("amount"), Decimal(0))', DECIMAL),
        ('Min("status")', TEXT),
        ('Max(Lower("status"))', TEXT),
        ('joined("status", order_by="id")', TEXT),
        ('joined("status", distinct=True, order_by="status")', TEXT),
        ('Min("at")', OTHER),
        ('Max("day")', OTHER),
        ('ArrayAgg("weight", order_by="id")', OTHER),
        ('ArrayAgg("status", order_by=[F("weight").desc(nulls_last=True), "id"])', OTHER),
        ('ArrayAgg("status", distinct=True, order_by="status")', OTHER),
        ('ArrayAgg("id", order_by="-id", filter=Q(weight__gt=0))', OTHER),
        ('JSONBAgg("status", order_by="id")', OTHER),
        ('BoolOr("is_urgent")', BOOLEAN),
        ('BoolAnd("is_urgent")', BOOLEAN),
    ),
}
# With the filter that keeps them from failing; where it is left out, the original may fail too.
FAILING = (
    ('Sum(100 / F("weight"))', ".exclude(weight=0)"),
    ('Sum(Cast("status", IntegerField()))', '.filter(status="7")'),
    ('Max(10 % F("weight"))', ".filter(weight__gt=0)"),
)
ORDERS = ('"-at", "id"', '"id"', 'F("weight").desc(nulls_last=True), "-id"', '"status", "-id"')


@dataclass(frozen=True)
class Piece:
    """An expression of a chain, and the scans of its subqueries: one entry for each time that one is written.

    ``is_bare`` says that it is one subquery and nothing else: Django groups by the outer columns that it names, by all
    others as they are.
    """

    text: str
    type: str
    scans: tuple[tuple[str, str], ...] = ()
    is_other: bool = False
    is_bare: bool = False


def one_of(draw: st.DrawFn, *choices: Any) -> Any:
    return draw(st.sampled_from(choices))


@st.composite
def conditions(draw: st.DrawFn, inner: str) -> str:
    """Return what narrows a subquery by its own columns, or nothing."""
    number, kind = draw(st.integers(-2, 5)), repr(draw(st.sampled_from(KINDS[:-1])))
    choices = [
        "",
        f".filter(status={kind})",
        f".filter(status={kind})",
        f'.filter(status__in=["b", {kind}])',
        f".filter(weight__gte={number})",
        f".filter(weight__range=({number}, {number + 2}))",
        f".filter(weight__isnull={number > 1})",
        f".exclude(status={kind})",
        f".exclude(status__in=[{kind}, None])",
        '.filter(weight__gt=F("id"))',
        f".filter(Q(status={kind}) | Q(weight__lt={number}))",
        f".filter(~Q(status={kind}, weight={number}))",
        '.filter(status__contains="%")',
        '.filter(status__iexact="A", at__isnull=False)',
        ".filter(at__gte=NOON).filter(at__hour__lt=23)",
    ]
    if inner == "Parcel":
        choices += [
            ".filter(is_urgent=True)",
            ".filter(day__year=2026)",
            '.exclude(zone=F("status"))',
            f".filter(rate__lte={number / 4})",
            f'.filter(amount__gt=Decimal("{number}.5"))',
        ]
    return str(one_of(draw, *choices))


@st.composite
def narrowed(draw: st.DrawFn, correlation: Correlation, join: str) -> str:
    """Return the rows of a subquery: the correlation, filters before or behind it, a filter over a relation."""
    condition = draw(conditions(correlation.inner))
    if join:
        condition += f'.filter({JOINS[correlation.inner][join]}="{one_of(draw, "a", "b", "north", "")}")'
    parts = [f".filter({correlation.keys})", condition]
    return f"{correlation.inner}.objects{''.join(parts[:: one_of(draw, 1, 1, -1)])}"


def joins(correlation: Correlation) -> st.SearchStrategy[str]:
    """Return a relation that all subqueries of a chain go over, mostly none."""
    # Over labels that it is correlated by, a second filter() joins them once more: a shape of its own.
    relations = [name for name in JOINS[correlation.inner] if name not in correlation.keys]
    return st.sampled_from([*[""] * 4, *relations])


@st.composite
def aggregated(draw: st.DrawFn, correlation: Correlation, join: str, types: Sequence[str] = ()) -> Piece:
    """Return a subquery of one aggregate, of one of the types if any are named."""
    chosen = [(text, type_) for text, type_ in AGGREGATES[correlation.inner] if not types or type_ in types]
    text, type_ = one_of(draw, *chosen)
    inner = draw(narrowed(correlation, join))
    if draw(st.integers(0, 24)) == 0 and (INTEGER in types or not types):
        (text, guard), type_ = one_of(draw, *FAILING), INTEGER
        inner += guard if draw(st.integers(0, 3)) else ""
    scans = (scan_of(correlation, join),)
    grouped = f'.values({correlation.group}).annotate(v={text}).values("v")'
    if type_ == INTEGER and draw(st.integers(0, 5)) == 0:
        function = one_of(draw, "COUNT", "COUNT", "SUM", "MAX")
        grouped = f'.annotate(v=Func(F("weight"), function="{function}")).values("v")'
    form = one_of(draw, "subquery", "subquery", "queryset", "coalesce", "coalesce", "plus")
    if form == "coalesce" and type_ in NOTHING:
        value = f"Value({NOTHING[type_]}), output_field={OUTPUT[type_]}"
        return Piece(f"Coalesce(Subquery({inner}{grouped}), {value})", type_, scans)
    if form == "plus" and type_ == INTEGER:
        return Piece(f"Subquery({inner}{grouped}) + 1", type_, scans)
    text = f"{inner}{grouped}" if form == "queryset" else f"Subquery({inner}{grouped})"
    return Piece(text, type_, scans, is_bare=True)


@st.composite
def existing(draw: st.DrawFn, correlation: Correlation, join: str) -> Piece:
    """Return EXISTS or NOT EXISTS."""
    sign = one_of(draw, "", "~")
    text = f"{sign}Exists({draw(narrowed(correlation, join))})"
    return Piece(text, BOOLEAN, (scan_of(correlation, join),), is_bare=not sign)


def scan_of(correlation: Correlation, join: str, further: str = "") -> tuple[str, str]:
    return correlation.table, f"{correlation.keys} {join} {further}".strip()


@st.composite
def dashboard_pieces(draw: st.DrawFn, correlation: Correlation) -> list[Piece]:
    """Return two to six subqueries of one table and one correlation."""
    join = draw(joins(correlation))
    one = st.integers(0, 6).flatmap(lambda n: aggregated(correlation, join) if n else existing(correlation, join))
    return draw(st.lists(one, min_size=2, max_size=6))


@st.composite
def first_pieces(draw: st.DrawFn, correlation: Correlation) -> list[Piece]:
    """Return columns of the first row of each outer row's, and sometimes aggregates beside them."""
    pieces: list[Piece] = []
    join = draw(joins(correlation))
    for _ in range(one_of(draw, 1, 1, 2)):
        inner, order = draw(narrowed(correlation, join)), one_of(draw, *ORDERS)
        scan = scan_of(correlation, join, f"first {inner} {order}")
        for column in draw(st.lists(st.sampled_from(["id", "status", "weight", "at"]), min_size=2, max_size=4)):
            text = f'Subquery({inner}.order_by({order}).values("{column}")[:1])'
            pieces.append(Piece(text, {"status": TEXT, "at": OTHER}.get(column, INTEGER), (scan,), is_bare=True))
    pieces += draw(st.lists(aggregated(correlation, join), max_size=2))
    return pieces


@st.composite
def nested_pieces(draw: st.DrawFn, correlation: Correlation) -> list[Piece]:
    """Return sums over parcels of what subqueries over their scans give, and plain subqueries beside them."""
    below = Correlation("Parcel", "Scan", 'parcel=OuterRef("pk")', '"parcel"')
    pieces = draw(st.lists(aggregated(correlation, "", [INTEGER]), min_size=2, max_size=3))
    first, second = (draw(aggregated(below, "", [INTEGER])) for _ in range(2))
    scans = tuple((table, f"below {key}") for table, key in first.scans + second.scans)
    inner = draw(narrowed(correlation, ""))
    expression = one_of(draw, 'F("m") + F("n")', 'Coalesce(F("m"), Value(0), output_field=BigIntegerField()) * F("n")')
    text = (
        f"Subquery({inner}.annotate(m={first.text}, n={second.text})"
        f'.values({correlation.group}).annotate(v=Sum({expression}, output_field=BigIntegerField())).values("v"))'
    )
    return [*pieces, Piece(text, INTEGER, scans)]


@st.composite
def other_pieces(draw: st.DrawFn, correlation: Correlation) -> Piece:
    """Return a subquery of a shape that is not accepted."""
    inner, group = correlation.inner, correlation.group
    rows_, first = f"{inner}.objects.filter({correlation.keys})", group.split(",")[0]
    counted = f'.values({group}).annotate(v=Count("*")).values("v")'
    count = '.annotate(v=Func(F("id"), function="COUNT")).values("v")'
    farther = correlation.keys.replace("OuterRef(", "OuterRef(OuterRef(").replace('")', '"))')
    counted_weight = '.values("weight").annotate(v=Count("*")).values("v")'
    choices = [
        f'{inner}.objects.order_by("id").values("id")[:1]',
        f'{inner}.objects.filter(weight__lt=OuterRef("pk")){count}',
        f'{rows_}.order_by("id").values("id")[1:2]',
        f'{rows_}.values({group}).annotate(v=ArrayAgg({first})).values("v")',
        f"{rows_}.annotate(r=Random()).filter(r__gte=0){counted}",
        f'{rows_}.values({group}).annotate(v=Max(Random() * 0)).values("v")',
        f'{rows_}.annotate(v=Window(RowNumber(), order_by="id")).order_by("-id").values("v")[:1]',
        f'{inner}.objects.filter(Q({correlation.keys}) | Q(status="b")){count}',
        f'{rows_}.filter(weight__gt=OuterRef("pk")){counted}',
        f'{rows_}.values({group}).annotate(v=Count("*")).filter(v__gt=1).values("v")',
        f'{rows_}.values("status").distinct().order_by("status").values("status")[:1]',
        f'{rows_}.values({group}, "weight").annotate(v=Count("*")).order_by("-v").values("v")[:1]',
        f"{rows_}.filter(status__in=[]){counted}",
        f'{inner}.objects.filter(weight=OuterRef("pk")){counted_weight}',  # integer and bigint
        f'{inner}.objects.filter(id__in={inner}.objects.filter({farther}).values("id")){count}',
        f'{rows_}.exclude(scans__status="a"){counted}' if inner == "Parcel" else f"{rows_}.none(){counted}",
    ]
    wholes = [f'ArraySubquery({rows_}.order_by("id").values("id"))', f"Exists({rows_}.filter(status__in=[]))"]
    text = one_of(draw, *[f"Subquery({choice})" for choice in choices], *wholes)
    return Piece(text, OTHER, is_other=True)


# Annotations of annotations.

Named = dict[str, Piece]


def of_type(named: Named, *types: str) -> list[str]:
    return [name for name, piece in named.items() if piece.type in types and not piece.is_other]


@st.composite
def derived(draw: st.DrawFn, named: Named) -> Piece | None:
    """Return an annotation that uses others: their subqueries are written once more. None where no number is there."""
    numbers = of_type(named, INTEGER, DECIMAL, FLOAT)
    if not numbers:
        return None
    one = one_of(draw, *numbers)
    type_ = named[one].type
    two = one_of(draw, *of_type(named, type_))
    output = OUTPUT[type_]
    both = named[one].scans + named[two].scans
    number = draw(st.integers(-1, 4))
    some = [f'Coalesce(F("{name}"), Value({NOTHING[type_]}), output_field={output})' for name in (one, two)]
    ratio = f'F("{one}") * 100.0 / NullIf(F("{two}"), Value({NOTHING[type_]}))'
    choices = [
        Piece(f"ExpressionWrapper({ratio}, output_field=FloatField())", FLOAT, both),
        Piece(f"ExpressionWrapper({ratio}, output_field=FloatField())", FLOAT, both),
        Piece(f"ExpressionWrapper({some[0]} + {some[1]}, output_field={output})", type_, both),
        Piece(f'Greatest(F("{one}"), F("{two}"), output_field={output})', type_, both),
        Piece(
            f'Case(When({one}__gt={number}, then=Value("many")), When({two}__isnull=True, then=Value("none")),'
            f' default=Value("few"))',
            TEXT,
            both,
        ),
        Piece(f"ExpressionWrapper(Q({one}__gt={number}), output_field=BooleanField())", BOOLEAN, named[one].scans),
    ]
    if draw(st.integers(0, 9)) == 0:
        choices = [Piece(f'ExpressionWrapper(F("{one}") / F("{two}"), output_field={output})', type_, both)]
    return Piece(**vars(one_of(draw, *choices)))


@st.composite
def filters(draw: st.DrawFn, named: Named, correlation: Correlation) -> Piece:
    """Return a filter by annotations: a part of the chain, not an expression."""
    number = draw(st.integers(-1, 3))
    choices: list[Piece] = []
    for name in of_type(named, INTEGER, DECIMAL, FLOAT):
        piece = named[name]
        other = one_of(draw, *of_type(named, piece.type))
        both = piece.scans + named[other].scans
        choices += [
            Piece(f".filter({name}__gt={number})", "", piece.scans),
            Piece(f".exclude({name}={number})", "", piece.scans),
            Piece(f".filter(Q({name}__gte={number}) | Q({other}__isnull=True))", "", both),
            Piece(f'.filter({name}__gte=F("{other}"))', "", both),
        ]
    for name in of_type(named, BOOLEAN):
        choices.append(Piece(f".filter({name}={number > 0})", "", named[name].scans))
    for name in of_type(named, TEXT):
        choices.append(Piece(f'.exclude({name}="a")', "", named[name].scans))
    for name in of_type(named, TEXT, OTHER, FLOAT):
        choices.append(Piece(f".filter({name}__isnull={number > 0})", "", named[name].scans))
    if not choices or draw(st.integers(0, 5)) == 0:
        piece = draw(existing(correlation, ""))
        choices = [Piece(f".{one_of(draw, 'filter', 'exclude')}({piece.text})", "", piece.scans)]
    return one_of(draw, *choices)  # type: ignore[no-any-return]


@st.composite
def annotated(draw: st.DrawFn, pieces: Sequence[Piece], *, others: Sequence[Piece] = ()) -> tuple[str, Named]:
    """Return the annotations of a chain, in one annotate() or several, and what their names stand for."""
    named = {f"a{n}": piece for n, piece in enumerate(pieces)}
    parts = [f"{name}={piece.text}" for name, piece in named.items()]
    text = f".annotate({', '.join(parts)})" if draw(st.booleans()) else "".join(f".annotate({part})" for part in parts)
    for n in range(one_of(draw, 0, 0, 1, 1, 2)):
        piece = draw(derived(named))
        if piece is not None:
            named[f"d{n}"] = piece
            text += f".annotate(d{n}={piece.text})"
    for n, piece in enumerate(others):
        named[f"o{n}"] = piece
        text += f".annotate(o{n}={piece.text})"
    return text, named


def chain(text: str, parts: Sequence[Piece], *, is_ordered: bool = True) -> Chain:
    scans = Counter(scan for part in parts for scan in part.scans)
    return Chain(text, scans, is_ordered, not any(part.is_other for part in parts))


# What is asked of the annotated rows.


def some_of(names: Sequence[str], fewest: int = 0, most: int | None = None) -> st.SearchStrategy[list[str]]:
    """Return some of the names in any order."""
    return st.permutations(names).flatmap(lambda mixed: st.integers(fewest, len(mixed)).map(lambda n: mixed[:n][:most]))


@st.composite
def listed(draw: st.DrawFn, start: str, named: Named, narrowing: Sequence[Piece]) -> Chain:
    """All or some of the columns, ordered by annotations or not at all, sliced or not."""
    names = draw(some_of(sorted(named), fewest=1)) if draw(st.booleans()) else sorted(named)
    used = [named[name] for name in names]
    text = start + "".join(part.text for part in narrowing)
    is_ordered = draw(st.integers(0, 3)) > 0
    if is_ordered:
        by = draw(some_of([name for name, piece in named.items() if not piece.is_other], most=2))
        # Django orders once by what is written alike, and by a selected column where there is one.
        ordering = {named[name].text: named[name] for name in by}
        used += [piece for text_, piece in ordering.items() if text_ not in {piece.text for piece in used}]
        keys = [one_of(draw, f'"{name}"', f'"-{name}"', f'F("{name}").desc(nulls_last=True)') for name in by]
        text += f".order_by({', '.join([*keys, chr(34) + 'pk' + chr(34)])})"
    columns = ", ".join(f'"{name}"' for name in ["pk", *names])
    text += f".values_list({columns})"
    if is_ordered and draw(st.integers(0, 2)) == 0:
        text += one_of(draw, "[:2]", "[1:3]", "[2:]", "[:20]")
    return chain(f"list({text})", [*used, *narrowing], is_ordered=is_ordered)


@st.composite
def counted(draw: st.DrawFn, start: str, named: Named, narrowing: Sequence[Piece]) -> Chain:
    """A count or whether there is any row: Django drops the annotations that no filter uses."""
    return chain(start + "".join(part.text for part in narrowing) + one_of(draw, ".count()", ".exists()"), narrowing)


@st.composite
def totalled(draw: st.DrawFn, start: str, named: Named, narrowing: Sequence[Piece]) -> Chain:
    """Aggregates over annotations: of all rows, or grouped by a column, with a HAVING or without."""
    numbers = of_type(named, INTEGER, DECIMAL, FLOAT)
    plain = of_type(named, INTEGER, DECIMAL, FLOAT, TEXT)
    one, two = one_of(draw, *numbers), one_of(draw, *plain)
    used = [named[one], named[two], *narrowing]
    text = start + "".join(part.text for part in narrowing)
    totals = f't=Sum("{one}"), m=Max("{two}"), n=Count("*")'
    if draw(st.booleans()):
        # Django may keep annotations that nothing uses: more scans than are known here.
        return replace(chain(f"{text}.aggregate({totals})", used), is_apart=False)
    column = '"kind"' if not start.startswith("Parcel") else '"status"'
    text += f".values({column}).annotate({totals})"
    if draw(st.booleans()):
        text += ".filter(t__gt=1)"
        used.append(named[one])
    return chain(f"list({text}.order_by({column}))", used)


@st.composite
def counting(draw: st.DrawFn, start: str, named: Named, narrowing: Sequence[Piece]) -> Chain:
    """An aggregate of the outer SELECT's own beside the subqueries, with a HAVING or without."""
    bare = {name: piece for name, piece in named.items() if piece.is_bare}
    chosen = named if draw(st.integers(0, 3)) == 0 else bare
    text = f'{start}{"".join(part.text for part in narrowing)}.annotate(n=Count("parcels"))'
    text += one_of(draw, "", ".filter(n__gt=0)", ".filter(n__lt=3)")
    columns = ", ".join(f'"{name}"' for name in ["pk", "n", *chosen])
    used = [*chosen.values(), *narrowing] if chosen == bare else []
    return chain(f'list({text}.order_by("pk").values_list({columns}))', used)


def contained(start: str, named: Named, narrowing: Sequence[Piece]) -> st.SearchStrategy[Chain]:
    """The rows as a subquery of a further SELECT's filter."""
    model = start.partition(".")[0]
    text = f'{start}{"".join(part.text for part in narrowing)}.values("pk")'
    found = f'list({model}.objects.filter(pk__in={text}).order_by("pk").values_list("pk"))'
    return st.just(chain(found, narrowing))


@st.composite
def wanted(draw: st.DrawFn, correlation: Correlation, pieces: Sequence[Piece]) -> Chain:
    """A chain of pieces of one correlation."""
    others = [draw(other_pieces(correlation))] if draw(st.integers(0, 11)) == 0 else []
    text, named = draw(annotated(pieces, others=others))
    start = f"{correlation.outer}.objects{one_of(draw, *OUTER_FILTERS[correlation.outer])}{text}"
    ask: Callable[..., st.SearchStrategy[Chain]] = one_of(
        draw, listed, listed, listed, listed, listed, listed, counted, totalled, counting, contained
    )
    if ask is totalled and not of_type(named, INTEGER, DECIMAL, FLOAT):
        ask = listed
    if ask is counting and (correlation.outer != "Depot" or correlation.is_over_outer_join):
        ask = listed
    fewest = 2 if ask in (counted, contained) else 0
    narrowing = draw(
        st.lists(filters(named, correlation), min_size=fewest, max_size=fewest or one_of(draw, 0, 0, 1, 2))
    )
    found = draw(ask(start, named, narrowing))
    # Further SELECTs may read the rows of the outer one anew, to restrict themselves to them.
    tables = {table for table, _ in found.scans}
    is_apart = found.is_apart and tables <= {correlation.table} - {table_of(correlation.outer)}
    is_apart = is_apart and "parcels" not in found.text
    return replace(found, is_apart=is_apart)


correlations = st.sampled_from(CORRELATIONS)
to_parcels = st.sampled_from([one for one in CORRELATIONS if one.outer == "Depot" and one.inner == "Parcel"])
dashboards = correlations.flatmap(lambda one: dashboard_pieces(one).flatmap(lambda pieces: wanted(one, pieces)))
firsts = correlations.flatmap(lambda one: first_pieces(one).flatmap(lambda pieces: wanted(one, pieces)))
nested = to_parcels.flatmap(lambda one: nested_pieces(one).flatmap(lambda pieces: wanted(one, pieces)))


@st.composite
def mixed(draw: st.DrawFn) -> Chain:
    """Subqueries of several correlations in one SELECT, each of which may share a scan with its own."""
    several = draw(st.lists(to_parcels, min_size=2, max_size=3, unique=True))
    pieces = [draw(aggregated(one, "")) for one in several for _ in range(one_of(draw, 1, 2, 2, 3))]
    return draw(wanted(several[0], draw(st.permutations(pieces))))


@st.composite
def unions(draw: st.DrawFn) -> Chain:
    """Two chains of the same columns."""
    count = one_of(draw, 2, 3)
    arms, used = [], []
    for n in range(2):
        correlation = draw(to_parcels)
        pieces = [draw(aggregated(correlation, "", [INTEGER])) for _ in range(count)]
        names = [f"a{place}" for place in range(count)]
        annotations = ", ".join(f"{name}={piece.text}" for name, piece in zip(names, pieces, strict=True))
        filtered = one_of(draw, *OUTER_FILTERS["Depot"])
        columns = ", ".join(f'"{name}"' for name in ["pk", *names])
        end = one_of(draw, "", "", '.order_by("pk")[:2]', '.order_by("-a0", "pk")[1:4]')
        arms.append(f"Depot.objects{filtered}.annotate({annotations}){end}.values_list({columns})")
        used += [Piece("", "", tuple((table, f"arm {n} {key}") for table, key in piece.scans)) for piece in pieces]
    text = f"{arms[0]}.{one_of(draw, 'union', 'union', 'intersection', 'difference')}({arms[1]})"
    return replace(chain(f"list({text})", used, is_ordered=False), is_apart="parcels" not in text)


@st.composite
def multiplied(draw: st.DrawFn) -> Chain:
    """Aggregates over two or three to-many relations, that multiply one another's rows."""
    model, relations = one_of(draw, ("Depot", ("parcels", "scans", "sent")), ("Parcel", ("scans", "labels")))
    used = draw(some_of(relations, fewest=2))
    parts, is_right = [], True
    for relation in [*used, *draw(some_of(used))]:
        column = "kind" if relation == "labels" else "status"
        texts = [
            f'Count("{relation}", distinct=True)',
            f'Count("{relation}", distinct=True, filter=Q({relation}__{column}="a"))',
            f'Count("{relation}__{column}", distinct=True)',
            f'Max("{relation}__{column}")',
            f'Min("{relation}")',
        ]
        part = f'Count("{relation}")' if draw(st.integers(0, 9)) == 0 else one_of(draw, *texts)
        # A label's kind stands in a table behind the relation's own: an aggregate over both may be left alone.
        is_right = is_right and part != f'Count("{relation}")' and "labels__kind=" not in part
        parts.append(part)
    names = [f"a{n}" for n in range(len(parts))]
    text = f"{model}.objects{one_of(draw, '', '', '.filter(zone=' + repr('north') + ')')}"
    text += f".annotate({', '.join(f'{name}={part}' for name, part in zip(names, parts, strict=True))})"
    if "Count" in parts[0]:
        text += one_of(draw, "", "", ".filter(a0__gt=0)", ".filter(a0=1)")
    text += f'.order_by({one_of(draw, "", repr("-a0") + ", ")}"pk").values_list("pk", {", ".join(map(repr, names))})'
    text += one_of(draw, "", "", "[:2]")
    scans = {(table_of(model), "branches"): len(used) if is_right else 1}
    return Chain(f"list({text})", scans, is_apart=False)


@st.composite
def left_alone(draw: st.DrawFn) -> Chain:
    """Shapes that are not accepted, or with which nothing is to be shared."""
    correlation = draw(correlations)
    pieces = draw(st.lists(aggregated(correlation, ""), max_size=1))
    others = draw(st.lists(other_pieces(correlation), min_size=1, max_size=3))
    named = {f"a{n}": piece for n, piece in enumerate([*pieces, *others])}
    text = "".join(f".annotate({name}={piece.text})" for name, piece in named.items())
    start = f"{correlation.outer}.objects{one_of(draw, *OUTER_FILTERS[correlation.outer])}{text}"
    return draw(listed(start, named, []))


_SHAPES = [*[dashboards] * 12, *[firsts] * 3, *[mixed()] * 2, *[nested] * 2, unions(), multiplied(), left_alone()]
chains = st.sampled_from(_SHAPES).flatmap(lambda shape: shape)
"""Mostly the dashboard's shape: several subqueries of one table and one correlation."""
