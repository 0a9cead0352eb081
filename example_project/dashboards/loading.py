"""The logs' data, made of the tickets and the orders that are there: the same rows every time.

A ticket's log has two rows: it was opened, and it came to the status that it has. Before an order its customer looked,
filled a basket and gave an address; of six attempts two stop on the way.
"""

from __future__ import annotations

from io import TextIOBase

from example_project.dashboards.models import StatusChange, Visit
from example_project.filling import Filling, fill, is_filled
from example_project.helpdesk.models import Ticket
from example_project.shop.models import Order

# Of the tickets that are not closed, every third became pending.
_CHANGES = """
INSERT INTO dashboards_statuschange (id, ticket_id, status, at)
SELECT 2 * i - 2 + number, t.id,
       CASE WHEN number = 1 THEN 'open' WHEN mod(i, 3) = 0 AND t.status <> 'closed' THEN 'pending' ELSE t.status END,
       CASE WHEN number = 1 THEN t.opened_at
            ELSE coalesce(t.closed_at, t.opened_at + mod(i, 96) * interval '1 hour') END
FROM generate_series((%(first)s::bigint + 1) / 2, %(last)s::bigint / 2) AS i
JOIN helpdesk_ticket AS t ON t.id = i
CROSS JOIN generate_series(1, 2) AS number
"""

# Four steps before each order. Of six attempts the third ends at the basket and the fifth at the address; those who
# stopped look at the shop again instead.
_VISITS = """
INSERT INTO dashboards_visit (id, customer_id, step, at)
SELECT 4 * i - 4 + number, o.customer_id,
       CASE WHEN (mod(i, 6) = 3 AND number > 2) OR (mod(i, 6) = 5 AND number > 3) THEN 'look'
            ELSE (ARRAY['look', 'basket', 'address', 'order'])[number] END,
       o.placed_at - (4 - number) * (1 + mod(i, 17)) * interval '1 minute'
FROM generate_series((%(first)s::bigint + 3) / 4, %(last)s::bigint / 4) AS i
JOIN shop_order AS o ON o.id = i
CROSS JOIN generate_series(1, 4) AS number
"""


def load(stream: TextIOBase) -> None:
    """Fill the logs for the tickets and orders there are, or say that it was done. What is in them is removed first."""
    fillings = [
        Filling(StatusChange, _CHANGES, 2 * Ticket.objects.count()),
        Filling(Visit, _VISITS, 4 * Order.objects.count()),
    ]
    if is_filled(fillings):
        stream.write("dashboards: the logs are loaded already.\n")
        return
    fill(fillings, stream)
