"""Who came, stayed, returned and bought."""
