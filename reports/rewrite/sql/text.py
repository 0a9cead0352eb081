"""A statement's text by its tokens: what a piece says, without ever writing it anew.

sqlglot's generator changes meanings (``!!`` becomes NOT, which PostgreSQL refuses), so a rewritten statement is made of
pieces of the original, letter by letter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from sqlglot import Token, TokenType

from reports.rewrite.sql.numbered import Unreadable, read_tokens

_OPENS = {TokenType.L_PAREN: TokenType.R_PAREN, TokenType.L_BRACKET: TokenType.R_BRACKET, TokenType.CASE: TokenType.END}
_CLOSES = frozenset(_OPENS.values())
_BEFORE_NAMES = frozenset({TokenType.DOT, TokenType.ALIAS})


class Span(NamedTuple):
    """Tokens from ``start`` on, before ``end``."""

    start: int
    end: int

    def has(self, place: int) -> bool:
        """Return whether a token is one of them."""
        return self.start <= place < self.end


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """A statement's text with its tokens. ``same`` has, for each parameter, the first one with an equal value."""

    source: str
    tokens: Sequence[Token]
    same: Sequence[int] | None = None
    pairs: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, source: str, same: Sequence[int] | None = None) -> Text:
        """Read a text; ``pairs`` leads from each parenthesis, bracket and CASE to its end, and back.

        Raises:
            Unreadable: Parentheses that do not match, or what no tokenizer takes.
        """
        tokens = read_tokens(source)
        text = cls(source, tokens, same)
        opened: list[int] = []
        for place, token in enumerate(tokens):
            if place and tokens[place - 1].token_type in _BEFORE_NAMES and token.token_type in _NO_NAMES:
                token.token_type = TokenType.VAR  # d.end, AS case: there any word is a name
            if token.token_type in _OPENS:
                opened.append(place)
            elif token.token_type in _CLOSES:
                if not opened or _OPENS[tokens[opened[-1]].token_type] != token.token_type:
                    raise Unreadable("its parentheses do not match")
                text.pairs[place] = opened[-1]
                text.pairs[opened.pop()] = place
        if opened:
            raise Unreadable("its parentheses do not match")
        return text

    def kind(self, place: int) -> TokenType | None:
        """Return what a token is, None outside the text."""
        return self.tokens[place].token_type if 0 <= place < len(self.tokens) else None

    def word(self, place: int) -> str:
        """Return a token as it is written, in upper case when it is not quoted; empty outside the text."""
        if not 0 <= place < len(self.tokens):
            return ""
        token = self.tokens[place]
        return self.source[token.start : token.end + 1].upper()

    def name(self, place: int) -> str:
        """Return the name that a token is, as PostgreSQL folds it."""
        token = self.tokens[place]
        return token.text if token.token_type == TokenType.IDENTIFIER else token.text.lower()

    def is_name(self, place: int) -> bool:
        """Return whether a token may name a table, a column or a function."""
        kind = self.kind(place)
        return kind in (TokenType.IDENTIFIER, TokenType.VAR) or (
            kind is not None and self.word(place).isidentifier() and kind not in _NO_NAMES
        )

    def enclosing(self, place: int) -> int | None:
        """Return the parenthesis in which a token stands, None outside of all."""
        at = place - 1
        while at >= 0:
            kind = self.kind(at)
            if kind in _CLOSES:
                at = self.pairs[at]
            elif kind == TokenType.L_PAREN:
                return at
            at -= 1
        return None

    def edges(self, span: Span) -> tuple[int, int]:
        """Return the first character of a piece, and the one behind its last."""
        return self.tokens[span.start].start, self.tokens[span.end - 1].end + 1

    def written(self, span: Span) -> str:
        """Return a piece letter by letter."""
        if span.start >= span.end:
            return ""
        start, end = self.edges(span)
        return self.source[start:end]

    def replaced(self, span: Span, pieces: Iterable[tuple[Span, str]]) -> str:
        """Return a piece in which others, in the text's order, have something else in their place."""
        start, end = self.edges(span)
        parts: list[str] = []
        for piece, written in pieces:
            first, stop = self.edges(piece)
            parts += [self.source[start:first], written]
            start = stop
        return "".join([*parts, self.source[start:end]])

    def top(self, span: Span) -> Iterator[int]:
        """Yield the tokens of a piece, passing over what stands in parentheses, brackets and CASE."""
        place = span.start
        while place < span.end:
            yield place
            place = self.pairs[place] + 1 if self.kind(place) in _OPENS else place + 1

    def split(self, span: Span, separator: TokenType) -> list[Span]:
        """Return the pieces between the separators of a piece."""
        if span.start >= span.end:
            return []
        edges = [place for place in self.top(span) if self.kind(place) == separator]
        return _between(span, edges)

    def bare(self, span: Span) -> Span:
        """Return a piece without the parentheses around all of it."""
        while self.kind(span.start) == TokenType.L_PAREN and self.pairs[span.start] == span.end - 1:
            span = Span(span.start + 1, span.end - 1)
        return span

    def conjuncts(self, span: Span) -> list[Span]:
        """Return what a condition joins by AND."""
        span = self.bare(span)
        if span.start >= span.end:
            return []
        edges: list[int] = []
        between = 0
        for place in self.top(span):
            kind = self.kind(place)
            if kind == TokenType.OR:
                return [span]
            if kind == TokenType.BETWEEN:
                between += 1
            elif kind == TokenType.AND and between:
                between -= 1
            elif kind == TokenType.AND:
                edges.append(place)
        if not edges:
            return [span]
        return [each for piece in _between(span, edges) for each in self.conjuncts(piece)]

    def is_qualifier(self, place: int, names: Collection[str]) -> bool:
        """Return whether a token is one of these names, and says whose the column after it is."""
        return (
            self.kind(place + 1) == TokenType.DOT
            and self.kind(place - 1) != TokenType.DOT
            and self.is_name(place)
            and self.name(place) in names
        )

    def renamed(self, span: Span, names: Mapping[str, str]) -> str:
        """Return a piece in which the tables of a mapping's names are called as its values say."""
        places = [place for place in range(*span) if self.is_qualifier(place, names)]
        return self.replaced(span, [(Span(place, place + 1), names[self.name(place)]) for place in places])

    def canonical(self, span: Span, names: Mapping[str, str] = MappingProxyType({})) -> str:
        """Return a piece's tokens, by which two pieces are known to say the same: equal parameters are one.

        ``names`` has what tables are called in it instead of their aliases.
        """
        return " ".join(self._canonical(span, names))

    def _canonical(self, span: Span, names: Mapping[str, str]) -> Iterator[str]:
        for place in range(*span):
            token = self.tokens[place]
            if self.is_qualifier(place, names):
                yield names[self.name(place)]
            elif self.kind(place) == TokenType.NUMBER and self.word(place - 1) == "$":
                number = int(token.text)
                yield str(self.same[number - 1] + 1 if self.same and number <= len(self.same) else number)
            else:
                yield self.source[token.start : token.end + 1]


def _between(span: Span, edges: Sequence[int]) -> list[Span]:
    return [Span(*each) for each in zip([span.start, *(edge + 1 for edge in edges)], [*edges, span.end], strict=True)]


# Words that name nothing, though sqlglot gives them no class of their own.
_NOT_NAMING = """
    ALIAS ALL AND ANY ARRAY BETWEEN CASE COLLATE DISTINCT ELSE END EXCEPT EXISTS FALSE FETCH FOR FROM HAVING
    ILIKE IN INTERSECT INTO IS JOIN LATERAL LIKE LIMIT NOT NULL OFFSET ON OR SELECT SOME THEN TRUE UNION USING
    WHEN WHERE WINDOW WITH
"""
_NO_NAMES = frozenset(TokenType[word] for word in _NOT_NAMING.split())
