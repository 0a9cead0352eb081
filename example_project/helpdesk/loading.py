"""The helpdesk's data, generated inside PostgreSQL: any size, the same rows every time.

Of the 500 departments, 10 have neither tickets nor invoices, 10 only tickets and 10 only invoices. Tickets are spread
unevenly over the others, and the later a ticket's id, the later it was opened, as in a table that grew.
"""

from __future__ import annotations

from io import TextIOBase

from django.contrib.auth.models import User

from example_project.filling import Filling, fill, is_filled
from example_project.helpdesk.models import Department, Employee, Invoice, Membership, Region, Ticket

DEPARTMENTS = 500
EMPLOYEES = 2_500
TICKETS_PER_INVOICE = 7
# The password of the demo users, for the API. Whoever can reach this server may read its generated data.
DEMO_PASSWORD = "demo"  # noqa: S105
DEMO_USERS = {"staff": None, "north": Region.NORTH, "south": Region.SOUTH}

# 20 places in turn of region, 25 departments each; departments of a place form a tree with three branches per node.
_DEPARTMENTS = """
INSERT INTO helpdesk_department (id, name, region, parent_id, created)
SELECT 25 * place + line,
       (ARRAY['Reception', 'Accounts', 'Billing', 'Claims', 'Contracts', 'Deliveries', 'Design', 'Energy', 'Fleet',
              'Hardware', 'Housing', 'Insurance', 'Labs', 'Legal', 'Licences', 'Logistics', 'Mobile', 'Networks',
              'Payroll', 'Permits', 'Purchasing', 'Repairs', 'Returns', 'Training', 'Archive'])[line]
       || ' ' ||
       (ARRAY['Aalborg', 'Almada', 'Amsterdam', 'Aachen', 'Bergen', 'Bari', 'Brno', 'Brest', 'Espoo', 'Faro', 'Gdansk',
              'Ghent', 'Oslo', 'Palermo', 'Riga', 'Porto', 'Turku', 'Seville', 'Vilnius', 'Nantes'])[place + 1],
       (ARRAY['north', 'south', 'east', 'west'])[mod(place, 4) + 1],
       CASE WHEN line > 1 THEN 25 * place + (line + 1) / 3 END,
       date '2015-01-01' + 25 * place + line
FROM (SELECT (i - 1) / 25 AS place, mod(i - 1, 25) + 1 AS line
      FROM generate_series(%(first)s::integer, %(last)s::integer) AS i) AS numbered
"""

_EMPLOYEES = """
INSERT INTO helpdesk_employee (id, department_id, name, hired)
SELECT i, (i - 1) / 5 + 1,
       (ARRAY['Ada', 'Anton', 'Birgit', 'Carlos', 'Dana', 'Emil', 'Farah', 'Goran', 'Hanna', 'Ivo', 'Jana', 'Karim',
              'Lena', 'Marek', 'Nadia', 'Oskar', 'Petra', 'Rui', 'Sofia', 'Tomas'])[1 + floor(random() * 20)::integer]
       || ' ' ||
       (ARRAY['Almeida', 'Berg', 'Costa', 'Dahl', 'Eriksen', 'Fischer', 'Gallo', 'Holm', 'Ivanova', 'Jansen', 'Kovacs',
              'Lund', 'Moreau', 'Novak', 'Olsen', 'Pires', 'Rossi', 'Silva', 'Toth', 'Weber'])
              [1 + floor(random() * 20)::integer],
       date '2016-01-01' + floor(random() * 3650)::integer
FROM generate_series(%(first)s::integer, %(last)s::integer) AS i
"""

# power() makes some departments busy, times 77 spreads those over the regions: 77 and 480 have no common divisor.
_TICKETS = """
INSERT INTO helpdesk_ticket
       (id, department_id, assignee_id, status, priority, opened_at, closed_at, resolution_hours)
SELECT id, department_id,
       CASE WHEN assigned < 0.9 THEN (department_id - 1) * 5 + 1 + floor(assigned / 0.9 * 5)::integer END,
       status, priority, opened_at,
       CASE WHEN status = 'closed' THEN opened_at + hours * interval '1 hour' END,
       CASE WHEN status = 'closed' THEN hours END
FROM (
    SELECT id, assigned, priority,
           slot / 24 * 25 + mod(slot, 24) + 1 AS department_id,
           CASE WHEN state < 0.48 THEN 'open' WHEN state < 0.93 THEN 'closed' ELSE 'pending' END AS status,
           timestamptz '2024-07-01 00:00+00' + (id - within) / %(total)s * interval '730 days' AS opened_at,
           round((-12 * priority * ln(1 - effort))::numeric, 2) AS hours
    FROM (
        SELECT i AS id, mod(77 * floor(480 * power(random(), 1.5))::integer, 480) AS slot, random() AS assigned,
               random() AS state, 1 + floor(random() * 5)::integer AS priority, random() AS within, random() AS effort
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
    ) AS drawn
) AS ticket
"""

_INVOICES = """
INSERT INTO helpdesk_invoice (id, department_id, amount, issued)
SELECT id, slot / 48 * 50 + mod(slot, 48) + CASE WHEN mod(slot, 48) < 11 THEN 1 ELSE 2 END,
       amount, date '2024-07-01' + floor((id - 1) * 730 / %(total)s)::integer
FROM (
    SELECT i AS id, floor(480 * random())::integer AS slot, round((20 + 980 * power(random(), 2))::numeric, 2) AS amount
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
) AS drawn
"""


def load(tickets: int, stream: TextIOBase) -> None:
    """Fill the helpdesk's tables, or say that they are of this size already.

    What is in the tables is removed first. A run that was broken off is found by its count of rows and repeated.
    """
    _create_demo_users()
    fillings = [
        Filling(Department, _DEPARTMENTS, DEPARTMENTS),
        Filling(Employee, _EMPLOYEES, EMPLOYEES),
        Filling(Ticket, _TICKETS, tickets),
        Filling(Invoice, _INVOICES, tickets // TICKETS_PER_INVOICE),
    ]
    if is_filled(fillings):
        stream.write(f"helpdesk: {tickets:,} tickets are loaded already.\n")
        return
    fill(fillings, stream)


def _create_demo_users() -> None:
    """Create the users that the pages can be read as, and who can log in to the API."""
    for name, region in DEMO_USERS.items():
        user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": region is None, "password": "!"})
        if not user.has_usable_password():
            user.set_password(DEMO_PASSWORD)
            user.save(update_fields=["password"])
        if region is not None:
            Membership.objects.get_or_create(user=user, region=region)
