"""One report of each prebuilt class, over the helpdesk's and the shop's data."""
