-- A chain with HAVING: days on which New York lost more than 30 days of time.
SELECT day, sum(flights) AS flights, sum(delay_minutes) AS delay_minutes
  FROM days
 GROUP BY day
HAVING sum(delay_minutes) > 43200
