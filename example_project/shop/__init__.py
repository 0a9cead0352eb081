"""Products in a tree of categories, customers, orders and payments: synthetic, of any size."""
