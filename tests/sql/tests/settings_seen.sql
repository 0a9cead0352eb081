-- doc: The settings under which a report runs. One row.
-- param: seconds numeric
-- column: read_only text pk
-- column: timeout text
-- column: slept text null
-- timeout: 7s
SELECT current_setting('transaction_read_only') AS read_only,
       current_setting('statement_timeout') AS timeout,
       {% if seconds is given %} pg_sleep({{ seconds }})::text {% else %} NULL::text {% endif %} AS slept
