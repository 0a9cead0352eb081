"""The test cases and README examples that jinjasql2 0.1.13 publishes in its source distribution on PyPI.

They are under the MIT licence in the file LICENSE beside this one. YAML became Python; a case that checked several
parameter styles is here once, for ``param_style="format"``; cases of the constructor's arguments only are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

DATA: Mapping[str, object] = {
    "etc": {"columns": "project, timesheet, hours", "lt": "<", "gt": ">"},
    "ids": {"field1": "id", "field2": "name", "table": ("public", "users")},
    "malicious": {
        "table": "users; drop table users; --",
        "field": 'id" FROM users; drop table users; --',
    },
    "request": {
        "project": {"id": 123, "name": "Acme Project"},
        "project_id": 123,
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "day": "mon",
        "start_date": date(2026, 7, 7),
    },
    "session": {"user_id": "sripathi"},
}


@dataclass(frozen=True)
class Case:
    """A template with its data.

    ``sql`` is the published result, None where the published case expects an error. ``reason`` says why our outcome
    must be another; ``ours`` is that outcome: the SQL, or the message of the error.
    """

    template: str
    sql: str | None
    data: Mapping[str, object] = field(default_factory=lambda: DATA)
    templates: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    ours: str = ""


USERS = "select * from {{table_name | identifier}}"
README_SPEND = """
select username, sum(spend)
from transactions
where start_date > {{request.start_date}}
and end_date < {{request.end_date}}
{% if request.organization %}
and organization = {{request.organization}}
{% endif %}
"""
README_TIMESHEET = """
    SELECT project, timesheet, hours
    FROM timesheet
    WHERE user_id = {{ user_id }}
    {% if project_id %}
    AND project_id = {{ project_id }}
    {% endif %}
"""
README_DATES = {"start_date": "2016-10-10", "end_date": "2016-10-20"}

CASES: dict[str, Case] = {
    # tests/yaml/macros.yaml
    "asyncpg_format": Case(
        "SELECT project, timesheet, hours\nFROM timesheet\nWHERE project_id = {{request.project_id}} \n"
        "and user_id = {{ session.user_id }}\n",
        "SELECT project, timesheet, hours FROM timesheet WHERE project_id = %s and user_id = %s",
    ),
    "string_concatenation": Case(
        "SELECT *\nFROM users\nWHERE user_name like {{ '%' ~ session.user_id ~ '%' }}\n",
        "SELECT * FROM users WHERE user_name like %s",
    ),
    "bind_parameters": Case(
        "SELECT project, timesheet, hours\nFROM timesheet\nWHERE project_id = {{request.project_id}} \n"
        "and user_id = {{ session.user_id }}\n",
        "SELECT project, timesheet, hours FROM timesheet WHERE project_id = %s and user_id = %s",
    ),
    "sqlsafe_filter": Case(
        "SELECT {{etc.columns | sqlsafe}} FROM timesheet", "SELECT project, timesheet, hours FROM timesheet"
    ),
    "identifier_filter": Case(
        "SELECT {{ids.field1 | identifier}}, {{ids.field2 | identifier}} FROM {{ids.table | identifier}}",
        'SELECT "id", "name" FROM "public"."users"',
    ),
    "identifier_filter_with_malicious_values": Case(
        "SELECT {{malicious.field | identifier}} FROM {{malicious.table | identifier}}",
        'SELECT "id"" FROM users; drop table users; --" FROM "users; drop table users; --"',
    ),
    "html_characters_are_not_escaped": Case(
        "select 'x' from dual where X {{etc.lt | sqlsafe}} 1", "select 'x' from dual where X < 1"
    ),
    "inclause_filter": Case(
        "select * from timesheet \nwhere day in {{request.days | inclause}}\n",
        "select * from timesheet where day in (%s,%s,%s,%s,%s)",
    ),
    "macros": Case(
        """{% macro OPTIONAL_AND(condition, expression, value) -%}
    {%- if condition -%}AND {{expression | sqlsafe}}{{value}} {%- endif-%}
{%- endmacro -%}
SELECT 'x' from dual
WHERE 1=1
{{ OPTIONAL_AND(request.project_id != -1,
    "project_id = ", request.project_id)}}
{{ OPTIONAL_AND(request.unknown_column,
    "some_column = ", request.unknown_column) -}}
AND fixed_column = {{session.user_id}}
""",
        "SELECT 'x' from dual WHERE 1=1 AND project_id = %s AND fixed_column = %s",
        reason="an undefined name is an error in a condition too, lest a misspelt filter be dropped in silence",
        ours="<template>:2: an attribute or item that is not there was looked up.",
    ),
    "macro_output_is_marked_safe": Case(
        "{% macro week(value) -%}\nsome_sql_function({{value}})\n{%- endmacro %}\n"
        "SELECT 'x' from dual WHERE created_date > {{ week(request.start_date) }}\n",
        "SELECT 'x' from dual WHERE created_date > some_sql_function(%s)",
    ),
    "set_block": Case(
        "{% set columns -%}\nproject, timesheet, hours\n{%- endset %}\nselect {{ columns | sqlsafe }} from dual\n",
        "select project, timesheet, hours from dual",
    ),
    "dictionary_param": Case(
        "INSERT INTO projects (info)\nVALUES({{request.project}})\n",
        "INSERT INTO projects (info) VALUES(%s)",
        reason="a report reads: its template is a query",
        ours="<template>:1: a template is a query (SELECT, WITH, VALUES or TABLE), not 'INSERT'.",
    ),
    # tests/test_jinjasql.py
    "import": Case(
        "\n{% import 'utils.sql' as utils %}\nselect * from dual {{ utils.print_where(100) }}\n",
        "select * from dual WHERE dummy_col = %s",
        templates={"utils.sql": "\n{% macro print_where(value) -%}\nWHERE dummy_col = {{value}}\n{%- endmacro %}\n"},
    ),
    "include": Case(
        "\nselect * from dummy {% include 'where_clause.sql' %}\n",
        "select * from dummy where project_id = %s",
        templates={"where_clause.sql": "where project_id = {{request.project_id}}"},
    ),
    "precompiled_template": Case(
        "select * from dummy where project_id = {{ request.project_id }}",
        "select * from dummy where project_id = %s",
    ),
    "large_inclause": Case(
        "SELECT 'x' WHERE 'A' in {{alphabets | inclause}}",
        "SELECT 'x' WHERE 'A' in (" + "%s," * 49_999 + "%s)",
        data={"alphabets": ["A"] * 50_000},
    ),
    "large_likeclause": Case(
        "SELECT 'x' WHERE project_id ilike {{('%%'~request.project_id~'%%')}}",
        "SELECT 'x' WHERE project_id ilike %s",
    ),
    "identifier_name": Case(USERS, 'select * from "users"', data={"table_name": "users"}),
    "identifier_of_two_parts": Case(
        USERS, 'select * from "myschema"."users"', data={"table_name": ("myschema", "users")}
    ),
    "identifier_quote": Case(USERS, 'select * from "a""b"', data={"table_name": 'a"b'}),
    "identifier_of_one_part": Case(USERS, 'select * from "users"', data={"table_name": ("users",)}),
    "list_as_first_dynamic_parameter": Case(
        "select * from t where a in {{ ids | inclause }} and b = {{ x }}",
        "select * from t where a in (%s,%s,%s) and b = %s",
        data={"ids": [1, 2, 3], "x": 9},
    ),
    "nested_reference_generates_valid_named_param": Case(
        "select * from t where project_id = {{ request.project_id }}", "select * from t where project_id = %s"
    ),
    "named_params_execute_on_sqlite": Case(
        "select {{ request.project_id }} where 1 in {{ request.days_count | inclause }}",
        "select %s where 1 in (%s,%s)",
        data={"request": {"project_id": 123, "days_count": [1, 2]}},
    ),
    "variable_named_like_filter_is_bound": Case(
        "select * from dual where x = {{ sqlsafe }}",
        "select * from dual where x = %s",
        data={"sqlsafe": "1; drop table users; --"},
    ),
    "manual_bind_filter": Case(
        "select * from user where id = {{ userid | bind }}",
        "select * from user where id = %s",
        data={"userid": 143},
    ),
    "empty_inclause_raises": Case(
        "select 'x' where day in {{ days | inclause }}",
        None,
        data={"days": []},
        reason="an empty list finds no row, as Django's __in does",
        ours="select 'x' where day in (NULL)",
    ),
    "string_inclause_raises": Case("select 'x' where day in {{ day | inclause }}", None, data={"day": "mon"}),
    "identifier_number_raises": Case(USERS, None, data={"table_name": 123}),
    "identifier_part_raises": Case(USERS, None, data={"table_name": ("users", 123)}),
    "identifier_nul_raises": Case(USERS, None, data={"table_name": "a\x00b"}),
    "identifier_backtick": Case(
        USERS,
        "select * from `users`",
        data={"table_name": "users"},
        options={"identifier_quote_character": "`"},
        reason="PostgreSQL only: names are in double quotes",
        ours='select * from "users"',
    ),
    "identifier_backtick_of_two_parts": Case(
        USERS,
        "select * from `myschema`.`users`",
        data={"table_name": ("myschema", "users")},
        options={"identifier_quote_character": "`"},
        reason="PostgreSQL only: names are in double quotes",
        ours='select * from "myschema"."users"',
    ),
    "identifier_backtick_quote": Case(
        USERS,
        "select * from `a``b`",
        data={"table_name": "a`b"},
        options={"identifier_quote_character": "`"},
        reason="PostgreSQL only: names are in double quotes",
        ours='select * from "a`b"',
    ),
    # tests/test_real_database.py
    "bind_array": Case(
        "\n    SELECT {{some_num}} = ANY({{some_array}})\n",
        "SELECT %s = ANY(%s)",
        data={"some_num": 1, "some_array": [1, 2, 3]},
    ),
    "quoted_tables": Case(
        "\n    select table_name from {{all_tables|identifier}}\n    where table_name = 'pg_user'\n",
        'select table_name from "information_schema"."tables" where table_name = \'pg_user\'',
        data={"all_tables": ("information_schema", "tables")},
    ),
    "quoted_tables_of_mysql": Case(
        "\n    select * from {{database|identifier}}.{{table_name|identifier}};\n",
        "select * from `information_schema`.`TABLES`;",
        data={"database": "information_schema", "table_name": "TABLES"},
        options={"identifier_quote_character": "`"},
        reason="PostgreSQL only: names are in double quotes; and as a FROM item the query has no semicolon",
        ours='select * from "information_schema"."TABLES"',
    ),
    # README.md
    "readme_spend": Case(
        README_SPEND,
        "select username, sum(spend) from transactions where start_date > %s and end_date < %s and organization = %s",
        data={"request": {**README_DATES, "organization": 1321}},
    ),
    "readme_spend_with_empty_organization": Case(
        README_SPEND,
        "select username, sum(spend) from transactions where start_date > %s and end_date < %s",
        data={"request": {**README_DATES, "organization": ""}},
    ),
    "readme_spend_without_organization": Case(
        README_SPEND,
        "select username, sum(spend) from transactions where start_date > %s and end_date < %s",
        data={"request": README_DATES},
        reason="an undefined name is an error in a condition too, lest a misspelt filter be dropped in silence",
        ours="<template>:6: an attribute or item that is not there was looked up.",
    ),
    "readme_timesheet": Case(
        README_TIMESHEET,
        "SELECT project, timesheet, hours FROM timesheet WHERE user_id = %s AND project_id = %s",
        data={"project_id": 123, "user_id": "sripathi"},
    ),
    "readme_inclause": Case(
        "select 'x' from dual\nwhere project_id in {{ project_ids | inclause }}",
        "select 'x' from dual where project_id in (%s,%s)",
        data={"project_ids": [1, 2]},
    ),
    "readme_array": Case(
        "select 1 WHERE {{some_num}} = ANY({{some_array}})",
        "select 1 WHERE %s = ANY(%s)",
        data={"some_num": 1, "some_array": [1, 2, 3]},
    ),
    "readme_sqlsafe": Case(
        "select {{column_names | sqlsafe}} from dual", "select a, b from dual", data={"column_names": "a, b"}
    ),
    "readme_identifier": Case(
        "\nselect {{column1 | identifier}}, {{column2 | identifier}} from {{source | identifier}}\n",
        'select "col1", "col2" from "a_schema"."a_table"',
        data={"column1": "col1", "column2": "col2", "source": ("a_schema", "a_table")},
    ),
    "readme_bind": Case(
        "select * from user where id = {{userid | bind}}", "select * from user where id = %s", data={"userid": 143}
    ),
    "readme_pre_processing": Case(
        "select * from user where id = {{userid}}", "select * from user where id = %s", data={"userid": 143}
    ),
}
