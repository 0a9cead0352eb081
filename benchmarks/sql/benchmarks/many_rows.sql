-- doc: Numbers and text. One row per number.
-- param: rows integer required
-- column: id bigint pk
-- column: name text
-- column: amount numeric unit=EUR
-- column: day date
-- ordering: id
-- example: {"rows": 3}
SELECT n::bigint AS id, 'name ' || n AS name, n * 1.5 AS amount, date '2026-01-01' + (n % 365)::int AS day
FROM generate_series(1, {{ rows }}) AS n
