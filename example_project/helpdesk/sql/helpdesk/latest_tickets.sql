-- doc: The newest tickets of each department. One row per ticket, at most n per department.
-- column: ticket_id bigint pk fk=helpdesk.Ticket
-- column: department_id bigint fk=helpdesk.Department
-- column: department_name text label=department
-- column: opened_at timestamptz
-- column: status text
-- column: priority smallint
-- column: assignee text null
-- ordering: department_id, -opened_at, -ticket_id
-- example: {}
-- example: {"n": 1, "status": "open"}

-- Each department reads n entries of the index (department_id, opened_at DESC, id DESC): the ORDER BY is the index's own.
SELECT t.id AS ticket_id, d.id AS department_id, d.name AS department_name, t.opened_at, t.status, t.priority,
       e.name AS assignee
FROM {{ departments }} AS d
CROSS JOIN LATERAL (
    SELECT *
    FROM {{ tickets }} AS visible
    WHERE visible.department_id = d.id
      {% if status is given %} AND visible.status = {{ status }} {% endif %}
    ORDER BY visible.opened_at DESC, visible.id DESC
    LIMIT {{ n }}
) AS t
LEFT JOIN {{ table("helpdesk.Employee") }} AS e ON e.id = t.assignee_id
