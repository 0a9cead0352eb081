"""First, last, share, and what moved."""
