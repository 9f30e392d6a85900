-- Aggregate: every pair of airports.
SELECT origin, dest, count(*) AS flights, avg(arr_delay) AS avg_arr_delay, sum(distance) AS miles
  FROM departures
 GROUP BY origin, dest
