"""As whom the examples of a report are run."""

from __future__ import annotations

from django.contrib.auth.models import User


class SeenByStaff:
    """Runs a report's examples as staff, who see every row; the user is not stored anywhere."""

    @classmethod
    def example_user(cls) -> User:
        """Return a user of the staff."""
        return User(username="example", is_staff=True)
