"""PostgreSQL's types of numbers, and what their quotients are."""

from __future__ import annotations

# Those of exact numbers, and those that are rounded to binary digits.
EXACT = ("bigint", "integer", "numeric", "smallint")
BINARY = ("double precision", "real")
NUMBERS = (*EXACT, *BINARY)


def quotient_type(*types: str) -> str:
    """Return the type of a quotient of numbers of these types."""
    return "double precision" if any(each in BINARY for each in types) else "numeric"
