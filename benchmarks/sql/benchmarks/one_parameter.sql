-- doc: One row, for what a run costs beside its query.
-- param: department_id integer
-- column: n bigint pk
SELECT count(*) AS n
FROM (SELECT 1 AS department_id) AS t
WHERE true
  {% if department_id is given %} AND department_id = {{ department_id }} {% endif %}
