"""As whom reports are run: their examples as staff, the pages as the demo user that is chosen."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from example_project.helpdesk.loading import DEMO_USERS


class SeenByStaff:
    """Runs a report's examples as staff, who see every row; the user is not stored anywhere."""

    @classmethod
    def example_user(cls) -> User:
        """Return a user of the staff."""
        return User(username="example", is_staff=True)


def demo_user(name: str | None) -> User | None:
    """Return the chosen demo user, the first one by default; None before the data is loaded.

    Raises:
        ValidationError: There is no such user.
    """
    if name is not None and name not in DEMO_USERS:
        raise ValidationError({"as": [f"{name!r} is not a demo user; choose one of: {', '.join(DEMO_USERS)}."]})
    return User.objects.filter(username=name or next(iter(DEMO_USERS))).first()
