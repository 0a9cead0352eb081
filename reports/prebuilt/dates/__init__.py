"""Reports whose rows have dates: ranges, zones, periods, and the range before."""
