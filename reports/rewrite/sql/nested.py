"""A statement's tokens with what stands in parentheses below them, and what must stand between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import Token, TokenType

from reports.rewrite.sql.numbered import Unreadable

_QUERIES = ("SELECT", "VALUES", "WITH")
_STRINGS = frozenset(kind for kind in TokenType if kind.name.endswith("STRING"))
_OPENING = {TokenType.L_PAREN: TokenType.R_PAREN, TokenType.L_BRACKET: TokenType.R_BRACKET}


@dataclass(slots=True)
class Node:
    """A token, or with ``children`` a pair of parentheses. ``gap`` is what stands before it on one line."""

    text: str
    gap: str
    word: str
    children: list[Node] | None = None
    close: Node | None = None

    @property
    def is_query(self) -> bool:
        return any(child.word in _QUERIES for child in (self.children or ())[:1])

    def end(self) -> str:
        """Return what closes it, with a comment before that."""
        assert self.close is not None
        return (self.close.gap.rstrip(" ") if self.close.gap.strip() else "") + self.close.text

    def flat(self) -> str:
        """Return it on one line, without the gap before it."""
        if self.children is None:
            return self.text
        return self.text + flat(self.children) + self.end()


def read_nodes(
    text: str, tokens: Sequence[Token], place: int, until: TokenType | None, before: Token | None = None
) -> tuple[list[Node], int]:
    """Return the nodes from a token on to the one that closes them, and that one's place.

    Raises:
        Unreadable: Parentheses or brackets do not match.
    """
    nodes: list[Node] = []
    while place < len(tokens) and tokens[place].token_type != until:
        token = tokens[place]
        if token.token_type in _OPENING.values():
            raise Unreadable("its parentheses do not match")
        node = _node(text, token, before)
        nodes.append(node)
        if token.token_type in _OPENING:
            node.children, place = read_nodes(text, tokens, place + 1, _OPENING[token.token_type], token)
            node.close = _node(text, tokens[place], tokens[place - 1])
        before, place = tokens[place], place + 1
    if until is not None and place == len(tokens):
        raise Unreadable("its parentheses do not match")
    return nodes, place


def _node(text: str, token: Token, before: Token | None) -> Node:
    written = text[token.start : token.end + 1]
    gap = text[before.end + 1 : token.start] if before else ""
    both = before is not None and {before.token_type, token.token_type} <= _STRINGS
    is_name = before is not None and before.token_type in (TokenType.DOT, TokenType.ALIAS)
    word = "" if is_name or token.token_type == TokenType.IDENTIFIER else " ".join(written.upper().split())
    return Node(written, _gap(gap, is_continued=both), word)


def _gap(gap: str, *, is_continued: bool) -> str:
    """Return what must stand between two tokens of one line: nothing, a space, a comment."""
    comment = gap.strip()
    if not comment:
        return "\n" if is_continued and "\n" in gap else " " if gap else ""
    return f" {comment}\n" if "--" in comment or "\n" in comment else f" {comment} "


def flat(nodes: Sequence[Node]) -> str:
    """Return nodes on one line."""
    return "".join(kept(node.gap, i) + node.flat() for i, node in enumerate(nodes))


def kept(gap: str, place: int) -> str:
    """Return a gap, one at the beginning of a line only when it is a comment."""
    return gap if place or gap.strip() else ""
