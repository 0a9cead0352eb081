"""A lazy queryset whose statements are rewritten."""
