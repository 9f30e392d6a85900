-- DISTINCT: who flies where.
SELECT DISTINCT carrier, origin, dest
  FROM departures
