-- doc: Numbers, texts and points in time. One row per number, at once or after a pause each.
-- column: id bigint pk
-- column: name text
-- column: amount numeric(14,2)
-- column: at timestamptz
-- column: share bigint
-- example: {"rows": 3}
SELECT n AS id, 'name ' || n AS name, n * 1.5 AS amount,
       timestamptz '2026-01-01 00:00Z' + n % 100000 * interval '1 s' AS at,
       {% if faulty is given %} 1 / (n - {{ faulty }}) {% else %} n % 7 {% endif %} AS share
FROM (SELECT generate_series(1, {{ rows }}::bigint) AS n) AS numbers
{% if pause is given %} WHERE pg_sleep({{ pause }}) IS NOT NULL {% endif %}
