r"""Hostile values: what must come back from PostgreSQL byte for byte, and what must be refused before it is sent.

``payloads()`` gives the built-in set and, where ``../shared/corpora/`` lies beside the checkout, its files as well.
"""

from __future__ import annotations

import json
from pathlib import Path

CORPORA = Path(__file__).resolve().parent.parent.parent / "shared" / "corpora"

_QUOTES = ["'", "''", "'''", '"', '""', "`", "\\", "\\\\", "\\'", "\\''", "'\\", "\\\\'", "''\\'", "'\"'", '"\'"']
_BREAKOUTS = [
    "' OR '1'='1",
    "' OR 1=1 --",
    "') OR ('1'='1",
    "')) OR (('1'='1",
    '" OR ""="',
    "1 OR 1=1",
    "1) OR (1=1",
    "x' AND 1=(SELECT count(*) FROM pg_class) --",
    "' UNION SELECT NULL, NULL --",
    "' UNION ALL SELECT secret FROM injection_rows --",
    "0 UNION SELECT tenant FROM injection_rows",
    "'||(SELECT current_user)||'",
    "'||pg_sleep(0)||'",
    "1 AND pg_sleep(0) IS NULL",
    "CASE WHEN 1=1 THEN 1 ELSE 1/0 END",
    "(SELECT version())",
    "ARRAY[1,2]",
    "{1,2}",
    '{"a\'b"}',
    "{NULL}",
    "ROW(1,2)",
    "NULL",
    "null",
    "DEFAULT",
    "true",
    "now()",
    "CURRENT_USER",
    "* FROM injection_rows",
]
_STACKED = [
    "; DROP TABLE injection_rows",
    "'; DROP TABLE injection_rows; --",
    "'); DELETE FROM injection_rows; --",
    "1; UPDATE injection_rows SET tenant = 1",
    "'; TRUNCATE injection_rows; SELECT '",
    "'; COMMIT; DROP TABLE injection_rows; --",
    "'; ROLLBACK; BEGIN READ WRITE; DELETE FROM injection_rows; --",
    "'; COPY injection_rows TO PROGRAM 'true'; --",
    "'; SET ROLE postgres; --",
    "'; SELECT set_config('statement_timeout', '0', false); --",
    "x\n; DROP TABLE injection_rows",
    "\r; DROP TABLE injection_rows --",
    ";",
    ";;",
    ");",
]
_COMMENTS = [
    "--",
    "-- ",
    "--\n",
    "a -- b\nc",
    "a --\r DROP TABLE injection_rows",
    "#",
    "# comment",
    "/*",
    "*/",
    "/* */",
    "/*/*",
    "*/*/",
    "/*! 1 */",
    "'/*",
    "*/ OR 1=1 /*",
    "\n",
    "\r\n",
    "\r",
    "\u2028; SELECT 1",
    "\u0085 OR 1=1",
]
_DOLLARS = [
    "$",
    "$$",
    "$$ $$",
    "$$;DROP TABLE injection_rows;$$",
    "$a$",
    "$a$ $a$",
    "$_$'$_$",
    "$1",
    "$1$",
    "$2",
    "$0",
    "1$$",
    "$é$",
]
_PLACEHOLDERS = [
    "%",
    "%%",
    "%s",
    "%%s",
    "%b",
    "%t",
    "%(p)s",
    "%(x",
    "%d",
    "%s%s%s%s",
    "?",
    ":p",
    ":1",
    "::text",
    "{}",
    "{0}",
    "{p}",
    "{{ p }}",
    "{{ 7 * 7 }}",
    "{% print p %}",
    "{# #}",
    "{{ p|sqlsafe }}",
    "{{ self.__class__.__mro__ }}",
    "${p}",
    "#{p}",
    "\\x27",
    "\\047",
    "\\u0027",
    "\\n",
    "U&'\\0027'",
    "E'\\''",
    "E'\\\\'; SELECT 1; --",
    "e'",
    "B'1'",
    "X'27'",
    "N'x'",
]
_UNICODE = [
    "\u02bc OR 1=1",
    "\u2019 OR 1=1 --",
    "\u2018; DROP TABLE injection_rows --",
    "\uff07 OR 1=1 --",
    "\u00b4 OR 1=1",
    "\u2032",
    "\u037e DROP TABLE injection_rows",
    "\uff1b SELECT 1",
    "\u00bf'",
    "\u00bf\\'",
    "\u4e27'",
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\u202etxet",
    "e\u0301",
    "\u1d5e\U0001d54f",
    "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467'",
    "\U0010ffff",
    "\ufffd",
    "\ufffe",
    "İı",
    "ß'ẞ",
]
_NUMBERS = [
    "-1",
    "--1",
    "-1 --",
    "1e309",
    "-0",
    "0x27",
    "1_000",
    "NaN",
    "Infinity",
    "-Infinity",
    "9223372036854775808",
    "1/0",
    "1;--",
]
_FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(1)", "=cmd|'/c calc'!A0", "\t=1", '=HYPERLINK("http://a";"b")', "|x"]
_PATTERNS = ["%'", "_", "a%b_c", "\\%", "\\_", "[a-z]", "(a+)+$", ".*", "^$", "a|b"]
_SHAPES = [
    "",
    " ",
    "  x  ",
    "\t",
    "\x01",
    "\x1b[31m",
    "\x7f",
    "\x80",
    "<script>alert('1')</script>",
    "&#39;",
    "&amp;",
    "%27",
    "%2527",
]
_LONG = ["'" * 1_000, "\\" * 999, "x" * 100_000, "a'" * 10_000, "--\n" * 1_000, "(" * 500]

BUILT_IN = [
    *_QUOTES,
    *_BREAKOUTS,
    *_STACKED,
    *_COMMENTS,
    *_DOLLARS,
    *_PLACEHOLDERS,
    *_UNICODE,
    *_NUMBERS,
    *_FORMULAS,
    *_PATTERNS,
    *_SHAPES,
    *_LONG,
]

# PostgreSQL's text has no NUL, and half a character has no bytes.
REFUSED = [
    "\0",
    "a\0b",
    "'\0'; DROP TABLE injection_rows --",
    "\0000.0\0",
    "\0?\0",
    "\0L0:1\0",
    "\ud800",
    "\udfff",
    "a\udc27b",
    "\udcff' OR 1=1 --",
    "\udc80",
]

# Column names that a declared choice must keep out.
HOSTILE_NAMES = [
    'payload"',
    '"payload"',
    "payload; --",
    "payload DESC",
    "payload, tenant",
    "(SELECT 1)",
    "1",
    "payload\0",
    "PAYLOAD",
    " payload",
    "payload ",
    "рayload",
]


def payloads() -> list[str]:
    """Return each payload once: the built-in ones, then those of the corpora, if they are there."""
    found = list(BUILT_IN)
    text, strings = CORPORA / "sql_payloads.txt", CORPORA / "naughty_strings.json"
    if text.is_file():
        found += text.read_bytes().decode().split("\n")
    if strings.is_file():
        found += json.loads(strings.read_text(encoding="utf-8"))
    return [value for value in dict.fromkeys(found) if "\0" not in value]
