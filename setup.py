"""What pyproject.toml cannot say: packages found automatically *and* one that lies elsewhere.

The templates stay in the folder ``sql/`` at the top of the checkout and are installed as the package ``reports.sql``.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["reports", "reports.*"]), "reports.sql"],
    package_dir={"reports.sql": "sql"},
)
