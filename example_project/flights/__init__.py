"""The 336 776 flights that left New York City in 2013, with airlines, airports, planes and weather."""
