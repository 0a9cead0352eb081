"""A project that web servers run in processes of their own, for the tests of downloads."""
