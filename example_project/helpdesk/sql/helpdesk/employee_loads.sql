-- doc: Open tickets per employee, the urgent ones and the oldest among them. One row per employee, also those with none.
-- ordering: -open_tickets, employee_id
-- example: {}
-- example: {"at_least": 50}

WITH open_load AS (
    SELECT assignee_id, count(*) AS open_tickets, count(*) FILTER (WHERE priority = 1) AS urgent_tickets,
           min(opened_at) AS oldest_open
    FROM {{ tickets }} AS t
    WHERE status = 'open'
    GROUP BY assignee_id
)
SELECT e.id AS employee_id, e.department_id,
       coalesce(o.open_tickets, 0) AS open_tickets, coalesce(o.urgent_tickets, 0) AS urgent_tickets, o.oldest_open
FROM {{ table("helpdesk.Employee") }} AS e
JOIN {{ departments }} AS d ON d.id = e.department_id
LEFT JOIN open_load AS o ON o.assignee_id = e.id
{% if at_least is given %} WHERE o.open_tickets >= {{ at_least }} {% endif %}
