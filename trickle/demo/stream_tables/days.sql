-- Aggregate with new groups every day.
SELECT day, origin, count(*) AS flights, count(arr_delay) AS landed, sum(arr_delay) AS delay_minutes
  FROM departures
 GROUP BY day, origin
