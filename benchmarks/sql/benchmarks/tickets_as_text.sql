-- doc: Tickets, as many as there are. One row per ticket.
-- column: id bigint pk
-- column: department_id integer
-- column: status text
-- column: priority real
-- column: resolution_hours numeric(8,2) unit=hours
-- column: opened_at timestamptz
-- ordering: id
SELECT id, department_id, status, priority::real, resolution_hours, opened_at
FROM benchmark_tickets
