-- Aggregate: every pair of airports.
SELECT origin, dest, count(*) AS flights, avg(arr_delay) AS avg_arr_delay, min(distance) AS distance
  FROM departures
 GROUP BY origin, dest
