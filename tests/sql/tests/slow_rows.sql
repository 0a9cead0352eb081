-- doc: Rows that take their time. One row per number.
-- param: rows integer required
-- param: seconds double precision default=0
-- param: text text default=x
-- column: n integer pk
-- column: read_only text
-- column: timeout text
-- column: word text
-- timeout: 300ms
SELECT n, current_setting('transaction_read_only') AS read_only, current_setting('statement_timeout') AS timeout,
       {{ text }} || coalesce(pg_sleep({{ seconds }} + 0 * n)::text, '') AS word
FROM generate_series(1, {{ rows }}) AS n
