"""The functions that this package knows: those that may be called once where they were called twice.

None of them is volatile in PostgreSQL 15–18 (``pg_proc.provolatile``, which a test asks). A name that is not here may
be anybody's: the subquery that calls it stays as it is.
"""

from __future__ import annotations

_SAFE = """
    array_length bit_and bit_or bool_and bool_or btrim cardinality char_length coalesce
    concat concat_ws count every greatest initcap isfinite json_agg json_build_array
    jsonb_agg jsonb_build_array least length lower ltrim max md5 min mode now nullif
    octet_length reverse row_to_json rtrim starts_with statement_timestamp to_json to_jsonb
    transaction_timestamp trim upper
"""
_OVERFLOWING = """
    array_agg avg corr covar_pop covar_samp percentile_cont percentile_disc regr_avgx
    regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop
    stddev_samp string_agg sum var_pop var_samp variance
"""
_FAILING = """
    abs acos age array_append array_cat array_position array_to_string ascii asin atan atan2 cast cbrt ceil ceiling
    chr cos cot date_bin date_part date_trunc degrees div encode exp extract floor format json_build_object
    json_extract_path json_extract_path_text json_object_agg json_typeof jsonb_array_length jsonb_build_object
    jsonb_extract_path jsonb_extract_path_text jsonb_object_agg jsonb_typeof left ln log lpad make_date
    make_interval make_time make_timestamp make_timestamptz mod overlay phraseto_tsquery pi plainto_tsquery position
    power radians regexp_count regexp_match regexp_replace repeat replace right round rpad sha224 sha256 sha384
    sha512 sign similarity sin split_part sqrt strpos substr substring tan timezone to_char to_date to_number
    to_timestamp to_tsquery to_tsvector translate trunc ts_rank ts_rank_cd unaccent websearch_to_tsquery
    width_bucket
"""
_AGGREGATES = """
    array_agg avg bit_and bit_or bool_and bool_or corr count covar_pop covar_samp every json_agg json_object_agg
    jsonb_agg jsonb_object_agg max min mode percentile_cont percentile_disc regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp string_agg sum
    var_pop var_samp variance
"""

SAFE = frozenset(_SAFE.split())
"""Those that fail for no value."""
OVERFLOWING = frozenset(_OVERFLOWING.split())
"""Those that add up: they fail where a type has no place for the sum, such as a double beyond 1e308."""
FAILING = frozenset(_FAILING.split())
"""Those that fail for some values: a division by zero, a text that is no number, a zone that nobody knows."""
KNOWN = SAFE | OVERFLOWING | FAILING

AGGREGATES = frozenset(_AGGREGATES.split())
"""Which of them are aggregates."""
ZERO_OVER_NOTHING = frozenset({"count", "regr_count"})
"""The aggregates that give 0 over no row; all others give NULL."""
ORDERED = frozenset({"array_agg", "json_agg", "json_object_agg", "jsonb_agg", "jsonb_object_agg", "string_agg"})
"""The aggregates whose result depends on the order in which rows come."""
UNMULTIPLIED = frozenset({"bit_and", "bit_or", "bool_and", "bool_or", "every", "max", "min"})
"""The aggregates that give the same however often each row comes."""
