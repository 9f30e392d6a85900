-- The top of a diamond: one row per airline and day.
SELECT carrier, day, count(*) AS flights, sum(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) AS late
  FROM departures
 GROUP BY carrier, day
