-- doc: Tickets and invoices side by side. One row per department, also those with neither.
-- column: department_id bigint pk fk=helpdesk.Department
-- column: name text
-- column: region text
-- column: tickets bigint
-- column: resolution_hours numeric null unit=hours label="work"
-- column: invoices bigint
-- column: amount numeric unit=EUR label="invoiced"
-- ordering: -amount, department_id
-- example: {}
-- example: {"since": "2026-01-01", "until": "2026-04-01"}

-- Each branch is aggregated before the join. Joined first, every ticket of a department would meet every invoice of it.
WITH ticket_totals AS (
    SELECT department_id, count(*) AS tickets, sum(resolution_hours) AS resolution_hours
    FROM {{ tickets }} AS t
    WHERE true
      {% if since is given %} AND opened_at >= {{ since }} {% endif %}
      {% if until is given %} AND opened_at < {{ until }} {% endif %}
    GROUP BY department_id
),
invoice_totals AS (
    SELECT department_id, count(*) AS invoices, sum(amount) AS amount
    FROM {{ invoices }} AS i
    WHERE true
      {% if since is given %} AND issued >= {{ since }} {% endif %}
      {% if until is given %} AND issued < {{ until }} {% endif %}
    GROUP BY department_id
)
SELECT d.id AS department_id, d.name, d.region,
       coalesce(t.tickets, 0) AS tickets, t.resolution_hours,
       coalesce(i.invoices, 0) AS invoices, coalesce(i.amount, 0) AS amount
FROM {{ departments }} AS d
LEFT JOIN ticket_totals AS t ON t.department_id = d.id
LEFT JOIN invoice_totals AS i ON i.department_id = d.id
