"""Tables as people read them: across, with subtotals, as tiles."""
