"""How values and ages spread."""
