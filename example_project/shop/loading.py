"""The shop's data, generated inside PostgreSQL: any size, the same rows every time.

Orders have one to four lines; of ten orders one is not paid and two are paid in two parts. Orders come the faster the
later it is, none of them in August 2025. One customer of 50 has no order, and six categories have no product.
"""

from __future__ import annotations

from io import TextIOBase

from example_project.filling import Filling, fill, is_filled
from example_project.shop.models import Category, Customer, Order, OrderLine, Payment, Product

CATEGORIES = 40
PRODUCTS = 340
CUSTOMERS = 2_000
TICKETS_PER_ORDER = 5

_CATEGORIES = """
INSERT INTO shop_category (id, parent_id, name)
SELECT id, nullif(parent, 0), name
FROM (VALUES
    (1, 0, 'Home'), (2, 0, 'Garden'), (3, 0, 'Office'), (4, 0, 'Sports'),
    (5, 1, 'Kitchen'), (6, 1, 'Bathroom'), (7, 1, 'Bedroom'), (8, 1, 'Lighting'),
    (9, 5, 'Cookware'), (10, 5, 'Knives'), (11, 5, 'Baking'), (12, 9, 'Pans'), (13, 9, 'Pots'), (14, 12, 'Woks'),
    (15, 11, 'Tins'), (16, 6, 'Towels'), (17, 6, 'Mirrors'), (18, 7, 'Pillows'), (19, 7, 'Blankets'), (20, 8, 'Lamps'),
    (21, 20, 'Lanterns'), (22, 2, 'Tools'), (23, 2, 'Plants'), (24, 2, 'Furniture'), (25, 22, 'Spades'),
    (26, 22, 'Shears'), (27, 23, 'Seeds'), (28, 23, 'Bulbs'), (29, 24, 'Benches'), (30, 3, 'Paper'), (31, 3, 'Pens'),
    (32, 3, 'Desks'), (33, 30, 'Notebooks'), (34, 30, 'Envelopes'), (35, 31, 'Inks'), (36, 4, 'Cycling'),
    (37, 4, 'Climbing'), (38, 36, 'Helmets'), (39, 36, 'Saddles'), (40, 37, 'Ropes')
) AS category (id, parent, name)
WHERE id BETWEEN %(first)s::integer AND %(last)s::integer
"""

# Ten products in each of 34 categories, not in the first four and the last two.
_PRODUCTS = """
INSERT INTO shop_product (id, category_id, name, price)
SELECT d.id, c.id,
       (ARRAY['Basic', 'Classic', 'Compact', 'Deluxe', 'Folding', 'Heavy', 'Light', 'Plain', 'Royal', 'Simple'])
             [(d.id - 1) / 34 + 1] || ' ' || lower(c.name),
       d.price
FROM (
    SELECT i AS id, round((2 + 198 * power(random(), 3))::numeric, 2) AS price
    FROM generate_series(%(first)s::integer, %(last)s::integer) AS i
) AS d
JOIN shop_category AS c ON c.id = mod(d.id - 1, 34) + 5
"""

_CUSTOMERS = """
INSERT INTO shop_customer (id, name, region)
SELECT i,
       (ARRAY['Alder', 'Amber', 'Birch', 'Cedar', 'Cobalt', 'Coral', 'Ember', 'Fern', 'Flint', 'Hazel', 'Indigo',
              'Ivory', 'Juniper', 'Linden', 'Maple', 'Olive', 'Rowan', 'Slate', 'Sorrel', 'Willow'])[mod(i, 20) + 1]
       || ' ' ||
       (ARRAY['Archive', 'Bakery', 'Books', 'Brewery', 'Cafe', 'Cinema', 'Clinic', 'College', 'Dairy', 'Farm',
              'Gallery', 'Hotel', 'Library', 'Mill', 'Museum', 'Pharmacy', 'School', 'Studio', 'Theatre', 'Works'])
             [mod(i / 20, 20) + 1]
       || ' ' ||
       (ARRAY['Oslo', 'Faro', 'Gdansk', 'Ghent', 'Turku'])[mod(i / 400, 5) + 1],
       (ARRAY['north', 'south', 'east', 'west'])[mod(i, 4) + 1]
FROM generate_series(%(first)s::integer, %(last)s::integer) AS i
"""

# The later, the more orders: their number grows with the power 1 / 0.7 of the time. power() makes some customers busy,
# times 1093 spreads those over the regions: 1093 and 1960 have no common divisor.
_ORDERS = """
INSERT INTO shop_order (id, customer_id, placed_at)
SELECT id, slot / 49 * 50 + mod(slot, 49) + 1,
       CASE WHEN placed_at < '2025-08-01 00:00+00' THEN placed_at ELSE placed_at + interval '31 days' END
FROM (
    SELECT i AS id, mod(1093 * floor(1960 * power(random(), 1.5))::integer, 1960) AS slot,
           timestamptz '2024-07-01 00:00+00' + power((i - random()) / %(total)s, 0.7) * interval '699 days' AS placed_at
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
) AS drawn
"""

# Of four orders, the first has one line and the last has four.
_LINES = """
INSERT INTO shop_orderline (id, order_id, product_id, quantity, price)
SELECT d.id, (d.id - 1) / 10 * 4 + (ARRAY[1, 2, 2, 3, 3, 3, 4, 4, 4, 4])[mod(d.id - 1, 10) + 1],
       p.id, d.quantity, p.price
FROM (
    SELECT i AS id, mod(77 * floor(340 * power(random(), 1.5))::integer, 340) + 1 AS product_id,
           1 + floor(5 * power(random(), 2))::integer AS quantity
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
) AS d
JOIN shop_product AS p ON p.id = d.product_id
"""

# Of ten orders, the tenth is not paid; the third and the eighth are paid in two parts, one of them a third.
_PAYMENTS = """
INSERT INTO shop_payment (id, order_id, amount, received)
SELECT d.id, d.order_id,
       CASE d.part WHEN 0 THEN t.amount WHEN 1 THEN round(t.amount / 3, 2) ELSE t.amount - round(t.amount / 3, 2) END,
       (o.placed_at AT TIME ZONE 'UTC')::date + 14 * d.part + d.days
FROM (
    SELECT i AS id, (i - 1) / 11 * 10 + (ARRAY[1, 2, 3, 3, 4, 5, 6, 7, 8, 8, 9])[mod(i - 1, 11) + 1] AS order_id,
           (ARRAY[0, 0, 1, 2, 0, 0, 0, 0, 1, 2, 0])[mod(i - 1, 11) + 1] AS part, floor(14 * random())::integer AS days
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
) AS d
JOIN shop_order AS o ON o.id = d.order_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.quantity * l.price), 0) AS amount FROM shop_orderline AS l WHERE l.order_id = d.order_id
) AS t
"""


def load(orders: int, stream: TextIOBase) -> None:
    """Fill the shop's tables, or say that they are of this size already. What is in them is removed first."""
    fillings = [
        Filling(Category, _CATEGORIES, CATEGORIES),
        Filling(Product, _PRODUCTS, PRODUCTS),
        Filling(Customer, _CUSTOMERS, CUSTOMERS),
        Filling(Order, _ORDERS, orders),
        Filling(OrderLine, _LINES, orders // 4 * 10),
        Filling(Payment, _PAYMENTS, orders // 10 * 11),
    ]
    if is_filled(fillings):
        stream.write(f"shop: {orders:,} orders are loaded already.\n")
        return
    fill(fillings, stream)
