"""The example's own addresses, with the settings that they are made with, and a little data."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import User

from example_project import settings as example
from example_project.dashboards import loading as dashboards
from example_project.helpdesk import loading as helpdesk
from example_project.helpdesk.models import Department, Employee, Membership
from example_project.shop import loading as shop


@pytest.fixture(autouse=True)
def _addresses(settings):
    settings.ROOT_URLCONF = "example_project.urls"
    # The view of the schema asks for these when it is imported.
    settings.REST_FRAMEWORK = example.REST_FRAMEWORK
    settings.SPECTACULAR_SETTINGS = example.SPECTACULAR_SETTINGS


@pytest.fixture
def staff(db) -> User:
    return User.objects.create_user("staff", is_staff=True)


@pytest.fixture
def north(db) -> User:
    user = User.objects.create_user("north")
    Membership.objects.create(user=user, region="north")
    return user


@pytest.fixture
def departments(db) -> list[Department]:
    """Three departments, the second in another region, with two employees each."""
    made = [
        Department.objects.create(name=name, region=region, created="2020-01-01")
        for name, region in (("Repairs Oslo", "north"), ("Billing Faro", "south"), ("Legal Oslo", "north"))
    ]
    for department in made:
        for name in ("Ada", "Ivo"):
            Employee.objects.create(department=department, name=f"{name} of {department.name}", hired="2021-01-01")
    return made


@pytest.fixture
def loaded(db) -> None:
    """The generated data, small."""
    helpdesk.load(3_000, io.StringIO())
    shop.load(600, io.StringIO())
    dashboards.load(io.StringIO())


@pytest.fixture
def loaded_staff(loaded) -> User:
    """The user of the staff that comes with the generated data."""
    return User.objects.get(username="staff")
