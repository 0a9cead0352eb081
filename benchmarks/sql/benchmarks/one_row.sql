-- doc: One row, for what a run costs beside its query.
-- param: department_id integer
-- param: opened_from date
-- param: priorities integer list
-- param: status text
-- param: least numeric
-- column: n bigint pk
-- column: priority integer null
SELECT count(*) AS n, max(priority) AS priority
FROM (SELECT 1 AS department_id, 2 AS priority, date '2026-01-01' AS opened_at, 'open' AS status, 3.5 AS hours) AS t
WHERE true
  {% if department_id is given %} AND department_id = {{ department_id }} {% endif %}
  {% if opened_from is given %} AND opened_at >= {{ opened_from }} {% endif %}
  {% if priorities is given %} AND priority IN {{ priorities | inclause }} {% endif %}
  {% if status is given %} AND status = {{ status }} {% endif %}
  {% if least is given %} AND hours >= {{ least }} {% endif %}
