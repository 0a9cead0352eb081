"""What a developer is told: the ORM's own line, the line of Python, a warning."""
