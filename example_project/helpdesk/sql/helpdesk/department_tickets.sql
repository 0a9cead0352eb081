-- doc: Open and closed tickets and mean resolution time. One row per department, also those with no ticket.
-- column: department_id bigint pk fk=helpdesk.Department
-- column: name text
-- column: open_tickets bigint
-- column: closed_tickets bigint
-- column: avg_resolution numeric null unit=hours
-- ordering: -open_tickets, department_id
-- example: {}
-- example: {"opened_from": "2026-01-01", "priorities": [1, 2]}
WITH ticket_stats AS (
    SELECT department_id,
           count(*) FILTER (WHERE status = 'open')   AS open_tickets,
           count(*) FILTER (WHERE status = 'closed') AS closed_tickets,
           avg(resolution_hours) FILTER (WHERE status = 'closed') AS avg_resolution
    FROM {{ tickets }} AS t
    WHERE true
      {% if opened_from is given %} AND opened_at >= {{ opened_from }} {% endif %}
      {% if priorities is given %}  AND priority IN {{ priorities | inclause }} {% endif %}
    GROUP BY department_id
)
SELECT d.id AS department_id, d.name,
       coalesce(s.open_tickets, 0) AS open_tickets, coalesce(s.closed_tickets, 0) AS closed_tickets, s.avg_resolution
FROM {{ departments }} AS d
LEFT JOIN ticket_stats AS s ON s.department_id = d.id
