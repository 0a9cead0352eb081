"""What is missing, double or late."""
