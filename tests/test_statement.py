"""Marked text to a statement: against an oracle that reads character by character, and against PostgreSQL itself."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from reports.lexer import BOUND, Malformed, tokens
from reports.rendering import render_string
from reports.statement import Lines, build_statement, mark_lines, unmark

V = BOUND


def test_statement_has_placeholders_and_doubled_percents():
    statement = build_statement(f"SELECT {V} % 2, '%s', \"%\" -- %\n;")

    assert statement.sql == "SELECT %s %% 2, '%%s', \"%%\" -- %%"


def test_text_around_is_trimmed_and_the_semicolon_left_out():
    assert build_statement(" \n SELECT 1 ; \n").sql == "SELECT 1"


@pytest.mark.parametrize(
    "beginning", ["select 1", "SELECT(1)", "with a AS (SELECT 1) SELECT 1", "VALUES (1)", "Table t", "((SELECT 1))"]
)
def test_statement_is_a_query(beginning: str):
    assert build_statement(beginning).sql == beginning


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "DELETE FROM t", "MERGE INTO t", "CREATE TABLE t ()",
        "DROP TABLE t", "TRUNCATE t", "COPY t TO STDOUT", "CALL f()", "DO $$ $$", "SET ROLE x", "SHOW all",
        "EXPLAIN SELECT 1", "BEGIN", "COMMIT", "PREPARE p AS SELECT 1", "EXECUTE p", "DECLARE c CURSOR FOR SELECT 1",
        "LOCK t", "VACUUM", "ANALYZE", "REFRESH MATERIALIZED VIEW v", "GRANT SELECT ON t TO x", "LISTEN x",
        "NOTIFY x", "selectx", "with_x", "1", "''", "\"select\" 1", "\\d",
    ],
)  # fmt: skip
def test_statement_that_is_no_query(text: str):
    with pytest.raises(Malformed, match=r"a template is a query \(SELECT, WITH, VALUES or TABLE\), not "):
        build_statement(text)


# Good text, in which nothing may be refused by mistake: after SELECT, between other columns.

GOOD = [
    V, f"({V})", f"{V}::int", f"{V} :: int", f"-{V}", f"1 -{V}", f"1-{V}", f"{V}-1", f"{V}*{V}", f"a={V}", f"a>={V}",
    f"a<>{V}", f"a@>{V}", f"a->{V}", f"a->>{V}", f"a#>{V}", f"a ?{V}", f"a&{V}", f"menu&{V}", f"u &{V}", f"u& {V}",
    f"({V})[1]", f"a[{V}]", f"a[{V}:{V}]", f"a[1:{V}]", f"f({V})", f"f({V},{V})", f"f({V} ,{V} )", f"f(x => {V})",
    f"f(x := {V})", f"{V} AS x", f"{V} x", f'{V} "x"', f'{V} AS "x"', f"'a' || {V}", f"{V} || 'a'", f"{V}||'a'",
    f"'a'||{V}", f"E'a\\'' || {V}", f"U&'\\0041' || {V}", f"$$a$$ || {V}", f"{V} || $a$b$a$",
    f"'a' /* {{}} */ || {V}", f"{V} IS NULL", f"{V} IN ({V}, {V})", f"a IN ({V},{V})", f"a BETWEEN {V} AND {V}",
    f"a LIKE {V} ESCAPE '!'", f"CASE WHEN {V} THEN {V} ELSE {V} END", f"ARRAY[{V}, {V}]", f"ARRAY[{V}]", f"ROW({V})",
    f"a = ANY({V})", f"a AT TIME ZONE {V}", f"CAST({V} AS date)", f"date '2026-01-01' + {V}",
    f"{V} * interval '1 day'", f"interval '1 day' * {V}", f"count(*) FILTER (WHERE a = {V})",
    f"sum(a) OVER (PARTITION BY b + {V} ORDER BY c * {V} DESC)", f"{V} COLLATE \"C\"", f"a COLLATE \"C\" = {V}",
    f"(SELECT {V})", f"(SELECT 1 LIMIT {V} OFFSET {V})", f"EXISTS (SELECT 1 WHERE {V})", f"{V}--comment\n",
    f"{V}/* comment */", f"/* comment */{V}", f"{V} -- it's\n", f"/* '\"$$ */ {V}", f"extract(year FROM {V}::date)",
    f"(SELECT x FROM t ORDER BY x <-> {V}, y * {V} DESC, coalesce(z, {V}) ASC LIMIT {V})",
    f"(SELECT 1 GROUP BY a + {V})", f"(SELECT 1 GROUP BY date_trunc({V}, b))", f"date_trunc({V}, a)",
    f"to_char(a, {V})", f"a.date = {V}", f"\"date\" = {V}", f"date > {V}", f"time={V}", f"\"a\"\"b\" = {V}",
    "'it''s'", "E'it\\'s'", "''", "''''", '"a b"', '"a""b"', "$$it's$$", "$a$ $$ $a$", "$é$'$é$", "a$$b", "a$b$c",
    "x'1F'", "b'01'", "n'x'", "U&\"\\0041\"", "1.5e3", "a /* ; */", "'a;b'", "';'", "$$;$$", "'--'", "'/*'",
    "1 --;\n", "a % b", "'%s'", "'%(a)s'", "a::text[]", "a[1][2]", "a[1:2]", "'a'\n'b'", "E'a'\n'\\'b'",
    "E'a' -- c\n 'b'", "'\\'", "E'\\\\'", "é", "a\u00a0b",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD, ids=lambda text: ascii(text.replace(V, "V")))
@pytest.mark.parametrize(
    "frame", ["SELECT {}", "SELECT a, {} FROM t", "SELECT a FROM t WHERE a = {}", "VALUES (1, {})"]
)
def test_good_text_is_not_refused(frame: str, text: str):
    whole = frame.format(text)

    assert build_statement(whole).sql.replace("%%", "").count("%s") == text.count(V)


def test_good_set_is_large_enough():
    assert len(GOOD) * 4 >= 400


BAD = [
    f"'{V}'", f"'a{V}'", f"E'{V}'", f"e'\\'{V}'", f"B'{V}'", f"X'{V}'", f"N'{V}'", f"U&'{V}'", f'"{V}"', f'U&"{V}"',
    f"-- {V}\n", f"/* {V} */", f"/* /* */ {V} */", f"$${V}$$", f"$a${V}$a$", f"$a$ $b$ {V} $b$ $a$", f"'it''s {V}'",
    f"''' {V}'", f"'\\' || '{V}'", f"E'a'\n'\\'{V}'", f"E'a' --x\n\n '\\' {V} '", f"'a{V}", f'"{V}', f"/*{V}",
    f"$${V}", f"$a${V}$b$", f"1{V}", f"{V}1", f"a{V}", f"{V}a", f"a.{V}", f"{V}.a", f"_{V}", f"é{V}", f"{V}é",
    f"\u00a0{V}", f"{V}\u00a0", f"\u200b{V}", f"${V}", f"{V}$", f"'a'{V}", f"{V}'a'", f"{V}{V}", f"{V} {V}",
    f"{V}\n{V}", f"{V}/**/{V}", f"'a' {V}", f"'a'\n{V}", f"'a' --\n{V}", f"{V} 'a'", f"{V}\n'a'", f"{V} E'a'",
    f"{V} $$a$$", f"$$a$$ {V}", f"E{V}", f"U&{V}", f"u&{V}", f"{V}[1]", f"{V} [1]", f"{V}/* */[1]", f"date {V}",
    f"INTERVAL {V}", f"timestamptz\n{V}", f'"date" {V}', "; SELECT 1", ";;", "1; DROP TABLE t", "1;\n--x\nSELECT 2",
    ")", "(", "(1))", "((1)", "'", '"', "/*", "/* /* */", "$$", "$a$ $$", "E'\\'", "E'a''\\'", "$1", f"{V}, $1",
    "$0", "(SELECT $2)",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text.replace(V, "V")))
@pytest.mark.parametrize("frame", ["SELECT {}", "SELECT a, {} FROM t", "SELECT a FROM t WHERE a = {}\nORDER BY b"])
def test_bad_text_is_refused(frame: str, text: str):
    with pytest.raises(Malformed):
        build_statement(frame.format(text))


@pytest.mark.parametrize("end", ["--", "-- x", "/* x */", "--\\", "-- '", "-- /*", "--;", "-- )"])
def test_end_of_a_text_stays_in_its_own_line(end: str, db: None):
    """What stands behind the statement, on the next line, is outside of it."""
    sql = build_statement(f"SELECT 1 AS a {end}").sql

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT q.a + 1 FROM ({sql}\n) AS q")

        assert cursor.fetchall() == [(2,)]


# The oracle: one character at a time, no regular expression.

FRAGMENTS = [
    "'", "''", "\\", "\\'", "E'", "e'", "U&'", "B'", '"', '""', "$$", "$a$", "$A$", "$é$", "$", "a$", "1$$", "--",
    "-", "/*", "*/", "*", "/", "\n", "\r", " ", "\t", ",", "(", ")", "x", "E", "é", "€", "\u00a0", "_", "1", "%",
    "||", "::text", "[1]", ".", V,
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)


def is_letter(char: str) -> bool:
    return (char.isascii() and char.isalpha()) or char == "_" or ord(char) >= 0x80


def is_word(char: str) -> bool:
    return is_letter(char) or char in "$0123456789"


class Unclosed(Exception):
    pass


class Oracle:
    """Says of each character whether it is code (c), comment (-), string (s), or quoted name (n)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kinds = [""] * len(text)
        self.at = 0
        while self.at < len(text):
            self.step()

    def peek(self, word: str) -> bool:
        return self.text[self.at : self.at + len(word)] == word

    def take(self, kind: str, count: int = 1) -> None:
        for _ in range(count):
            if self.at >= len(self.text):
                raise Unclosed
            self.kinds[self.at] = kind
            self.at += 1

    def before(self) -> str:
        return self.text[self.at - 1] if self.at else " "

    def step(self) -> None:
        if self.peek("--"):
            while self.at < len(self.text) and self.text[self.at] not in "\n\r":
                self.take("-")
        elif self.peek("/*"):
            self.block()
        elif self.peek("'"):
            self.string(escapes=False)
        elif self.text[self.at] in "eE" and self.text[self.at + 1 : self.at + 2] == "'" and not is_word(self.before()):
            self.take("s")
            self.string(escapes=True)
        elif self.peek('"'):
            self.quoted('"', "n", escapes=False)
        elif self.peek("$") and not is_word(self.before()) and (tag := self.tag()):
            self.take("s", len(tag))
            while not self.peek(tag):
                self.take("s")
            self.take("s", len(tag))
        else:
            self.take("c")

    def block(self) -> None:
        depth = 0
        while True:
            if self.peek("/*"):
                depth += 1
                self.take("-", 2)
            elif self.peek("*/"):
                depth -= 1
                self.take("-", 2)
                if depth == 0:
                    return
            else:
                self.take("-")

    def string(self, *, escapes: bool) -> None:
        self.quoted("'", "s", escapes=escapes)
        while escapes and (gap := self.gap_to_continuation()):
            self.take("s", gap)
            self.quoted("'", "s", escapes=True)

    def quoted(self, quote: str, kind: str, *, escapes: bool) -> None:
        self.take(kind)
        while True:
            if (escapes and self.peek("\\")) or self.peek(quote * 2):
                self.take(kind, 2)
            elif self.peek(quote):
                self.take(kind)
                return
            else:
                self.take(kind)

    def gap_to_continuation(self) -> int:
        """Return how far it is to a quote, over white space with a line's end and comments to a line's end; else 0."""
        at, line_ended = self.at, False
        while at < len(self.text):
            char = self.text[at]
            if char in " \t\f\v":
                at += 1
            elif char in "\n\r":
                line_ended = True
                at += 1
            elif self.text[at : at + 2] == "--":
                while at < len(self.text) and self.text[at] not in "\n\r":
                    at += 1
            else:
                return at - self.at if line_ended and char == "'" else 0
        return 0

    def tag(self) -> str:
        end = self.at + 1
        while end < len(self.text) and self.text[end] != "$":
            char = self.text[end]
            if not (is_letter(char) or (char.isascii() and char.isdigit() and end > self.at + 1)):
                return ""
            end += 1
        return self.text[self.at : end + 1] if end < len(self.text) else ""


def kinds(text: str) -> list[str]:
    """Return the same by the lexer under test."""
    found = ["c"] * len(text)
    for kind, start, end in tokens(text):
        letter = {"comment": "-", "string": "s", "name": "n"}.get(kind, "c")
        found[start:end] = letter * (end - start)
    return found


@pytest.mark.once
@settings(max_examples=1500)
@given(TEXTS)
@example("E'a'\n'\\'x'")
@example("E'a' --b\r 'c'")
@example("'a'\n'\\'")
@example("/*/*/**/*/*/")
@example("$é$ '$é$'")
@example("€$$ '")
@example("--\r'")
@example("E'''\\''")
def test_lexer_sees_what_the_oracle_sees(text: str):
    try:
        want: Any = Oracle(text).kinds
    except Unclosed:
        want = "not closed"
    try:
        got: Any = kinds(text)
    except Malformed as error:
        got = "not closed" if "is not closed" in str(error) else str(error)
    if "placeholder of the driver" in str(got):
        return

    assert got == want


@pytest.mark.once
@settings(max_examples=1000)
@given(TEXTS)
@example(f"{V}::text")
@example(f"{V} ::{V}")
def test_accepted_text_has_its_values_in_code(text: str):
    whole = f"SELECT {text}"
    try:
        statement = build_statement(whole)
    except Malformed:
        return
    seen = Oracle(whole).kinds

    places = [match.start() for match in re.finditer(re.escape(V), whole)]
    assert all(seen[place] == "c" for place in places)
    first, *others = [part.replace("%", "%%") for part in whole.split(V)]
    # Before a cast in parentheses: a driver that writes -5::text would negate a text.
    wanted = "".join(f"(%s){part}" if re.match(r"\s*::", part) else f"%s{part}" for part in others)
    assert statement.sql == (first + wanted).strip()


# PostgreSQL itself. A text is put where a report's is: in parentheses, with a column and a name around it.

VALUE = "v'\\%s\"$$--/*{x}"
STRUCTURED = st.lists(
    st.tuples(
        st.sampled_from([
            V, V, V, f"({V})", f"{V}::text", f"{V} || 'a'", "'a'", "E'\\''", "$a$'$a$", "1", f"f.x || {V}",
            f"upper({V})", f"-- {V}\n1",
        ]),
        st.sampled_from([
            "", " ", "\n", " -- '\n", "/* ' */", " AS a", ' "b"', " AS \"it's\"", "[1]", "E", "'b'", "\n'b'",
            " -- \r'c'", "||",
        ]),
    ).map("".join),
    min_size=1,
    max_size=4,
).map(", ".join)  # fmt: skip
# What PostgreSQL says where only the type of a value is not known: loud, and cured by a cast.
TYPE_UNKNOWN = {"42P18", "42725", "42804", "42883", "42846"}


def run(driver: Any, factory: Any, sql: str, count: int) -> Any:
    """Return the rows, or the SQLSTATE."""
    query = f"SELECT 'outside', q.* FROM (/* tag */ {sql}\n) AS q, (VALUES ('end')) AS e(e)"
    try:
        with driver.transaction(force_rollback=True), factory(driver) as cursor:
            return cursor.execute(query.replace("f.x", "'fx'"), [VALUE] * count).fetchall()
    except psycopg.Error as error:
        return error.sqlstate


@pytest.mark.once
@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(STRUCTURED, TEXTS))
@example(f"{V} /**/ [1]")
@example(f"E'a'\n'\\' || {V} || '")
@example(f"{V}\n'b'")
@example(f"'a' -- x\n{V}")
@example(f"u&{V}")
@example(f"$€$ {V} $€$")
@example(f"1 --\r, {V}")
def test_what_is_accepted_means_the_same_in_both_ways_of_binding(db: None, text: str):
    """Nothing accepted has one meaning when the driver merges the values, and another when PostgreSQL binds them."""
    try:
        sql = build_statement(f"SELECT {text}").sql
    except Malformed:
        event("refused by us")
        return
    connection.ensure_connection()
    driver, count = connection.connection, text.count(V)

    merged = run(driver, psycopg.ClientCursor, sql, count)
    bound = run(driver, psycopg.Cursor, sql, count)

    event(f"accepted; PostgreSQL {'refuses' if isinstance(bound, str) else 'runs'} it")
    if isinstance(bound, str) and bound in TYPE_UNKNOWN:
        return
    assert merged == bound or (isinstance(merged, str) and isinstance(bound, str))
    if not isinstance(bound, str):
        assert [row[0] for row in bound] == ["outside"]


@pytest.mark.once
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            st.sampled_from(["", "\n", " ", " -- it's\n", "/* ' */"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_values_among_strings_and_comments_come_back(db: None, items: list[tuple[str, str]]):
    noise = ["'%s''{{'", "E'\\''", "$q$ ' \" -- $q$", "U&'d\\0061t'"]
    columns = [f"{V}::text{gap}, {noise[i % len(noise)]}" for i, (_, gap) in enumerate(items)]
    sql = build_statement(f"SELECT {', '.join(columns)}").sql

    with connection.cursor() as cursor:
        cursor.execute(sql, [value for value, _ in items])
        row = cursor.fetchone() or ()

    assert list(row[::2]) == [value for value, _ in items]


# Lines.

LINES = [
    "{w}", "{{{{ p }}}}, {w}", "{w}, {{{{ p }}}}", "{{% if true %}}{w}{{% endif %}}", "{{# a\n\nb #}}{w}",
    "1, {{%- if p -%}}\n\n {w} {{%- endif %}}", "{w} -- it's; 100%", "'a\n%\nb' || {w}", "/* a\n; */ {w}",
    "{{% for i in [1, 2] %}}\n{w}\n{{% endfor %}}", "{{{{\np\n}}}}, {w}", "{{% set x %}}\n\n{{% endset %}}{w}",
    "{{% raw %}}\n{w}\n{{% endraw %}}", "{{% set y %}}\n{w}, {{{{ p }}}}\n{{% endset %}}{{{{ y }}}}",
    "{{% macro m() %}}\n1, {w}{{% endmacro %}}{{{{ m() }}}}", "{{{{ p }}}}\n\n, {w}", "", "é{w}",
    "{{{{ 'x\n\n' | sqlsafe }}}}{w}", "{{{{ ['a', 'b'] | inclause }}}} = {w}",
    "{{% if false %}}\n\n{{% endif %}}{w}", "{{% call c() %}}\n{w}{{% endcall %}}", "$$\n$$ || {w}", "\"a\nb\", {w}",
]  # fmt: skip


@pytest.mark.once
@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(LINES), max_size=8),
    st.sampled_from(["", "\n\n", "-- x\n", "{% macro c() %}({{ caller() }}){% endmacro %}\n"]),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_every_word_has_its_line(lines: list[str], front: str, newline: str):
    head = "{% macro c() %}\n({{ caller() }}){% endmacro %}" if "macro c" not in front else ""
    source = front + head + "SELECT" + newline
    source += (
        f",{newline}".join(line.format(w=f"word{i:02}") for i, line in enumerate([*lines, "{w}"]) if line) + newline
    )
    query = render_string(source, {"p": 1})

    for word in re.findall(r"word\d\d", source):
        want = source[: source.index(word)].count("\n") + 1
        for found in re.finditer(word, query.sql):
            assert query.lines.at(found.start()) == ("<template>", want), (word, source)


def test_lines_before_the_first_mark_are_unknown():
    assert Lines().at(0) is None
    assert Lines((5,), (("f", 1),)).at(4) is None
    assert Lines((5,), (("f", 1),)).at(5) == ("f", 1)


@given(st.text("ab\n", max_size=20), st.integers(1, 9))
def test_marks_of_lines_can_be_taken_out_again(text: str, line: int):
    bare, lines = unmark(mark_lines(text, "a file", line))

    assert bare == text
    for offset in range(len(text)):
        # Of two marks at one place the later one counts: a newline belongs to the line it ends.
        assert lines.at(offset) == ("a file", line + text[:offset].count("\n"))


def test_long_texts_are_not_kept():
    """A list of thousands of values makes a text of its own each time."""
    from reports import statement

    before = statement._cached.cache_info().currsize
    for length in (7_000, 7_001):
        build_statement(f"SELECT 1 IN ({', '.join([V] * length)})")

    assert statement._cached.cache_info().currsize == before


def test_short_texts_are_read_once():
    from reports import statement

    text = "SELECT 'read once'"
    build_statement(text)
    hits = statement._cached.cache_info().hits

    assert build_statement(text) is build_statement(text)
    assert statement._cached.cache_info().hits == hits + 2
