"""Dashboards over the helpdesk and the shop: a report of each prebuilt class, and logs of what happened."""
