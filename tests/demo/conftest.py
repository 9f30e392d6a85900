"""A small year: the demo's tables with a few flights in November and December, made up."""

from __future__ import annotations

import pytest
from support.databases import Database

from trickle.demo.data import fill_departures
from trickle.demo.database import create_tables
from trickle.demo.statements import statement

AIRLINES = "INSERT INTO airlines VALUES ('AA', 'American'), ('UA', 'United'), ('B6', 'JetBlue')"
AIRPORTS = """
INSERT INTO airports (faa, name)
VALUES ('JFK', 'Kennedy'), ('LGA', 'La Guardia'), ('ORD', 'O''Hare'), ('LAX', 'Los Angeles')
"""
PLANES = "INSERT INTO planes (tailnum, manufacturer, seats) VALUES ('N1', 'BOEING', 150), ('N2', 'AIRBUS', 180)"
WEATHER = """
INSERT INTO weather (origin, time_hour, wind_speed, precip, visib)
SELECT origin, hour, 10, CASE WHEN extract(hour FROM hour) < 12 THEN 0.1 ELSE 0 END, 10
  FROM unnest(ARRAY['JFK', 'LGA']) AS origin,
       generate_series(timestamp '2013-11-01', '2014-01-01 12:00', '1 hour') AS hour
"""
# 120 flights, every tenth cancelled, every fifteenth diverted, some with a plane or a destination nobody knows.
FLIGHTS = """
INSERT INTO flights (year, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay,
    carrier, flight, tailnum, origin, dest, air_time, distance, hour, minute, time_hour)
SELECT 2013, m, 1 + n / 30, CASE WHEN n % 10 > 0 THEN 600 END, 600, CASE WHEN n % 10 > 0 THEN n % 37 - 5 END, 800, 800,
       CASE WHEN n % 10 > 0 AND n % 15 > 0 THEN n % 71 - 20 END, (ARRAY['AA', 'UA', 'B6'])[1 + n % 3], 100 + n % 7,
       (ARRAY['N1', 'N2', 'N3', NULL])[1 + n % 4], (ARRAY['JFK', 'LGA'])[1 + n % 2],
       (ARRAY['ORD', 'LAX', 'SJU'])[1 + n / 2 % 3], CASE WHEN n % 15 > 0 THEN 90 + n END, 700 + n % 2 * 300,
       6 + n % 15, n % 60, make_timestamp(2013, m, 1 + n / 30, 6 + n % 15, 0, 0)
  FROM generate_series(0, 59) AS n, unnest(ARRAY[11, 12]) AS m
"""


@pytest.fixture
def small(db: Database) -> Database:
    """November has happened, December is to be replayed."""
    create_tables(db.url)
    with db.connect() as owner:
        for insert in (AIRLINES, AIRPORTS, PLANES, WEATHER, FLIGHTS):
            owner.execute(insert)
        fill_departures(owner, 11)
        owner.execute(statement("index"))
    return db
