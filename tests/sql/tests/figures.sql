-- doc: Monthly figures. One row per store and month.
-- column: id bigint pk
-- column: store_id bigint fk=tests.Store
-- column: month date
-- column: revenue numeric(12,2) unit=EUR
-- column: orders integer null
-- column: label text null label="Its label"
-- column: seen_at timestamptz null
-- ordering: id
-- example: {}
-- example: {"least": 10, "labels": ["a"]}
SELECT id, store_id, month, revenue, orders, label, seen_at
FROM {{ table("tests.Figure") }} AS f
WHERE label IS DISTINCT FROM '100%' -- a comment; with { braces and a 'quote
  {% if least is given %} AND revenue >= {{ least }} {% endif %}
  {% if labels is given %} AND label IN {{ labels | inclause }} {% endif %}
-- the last line is a comment
