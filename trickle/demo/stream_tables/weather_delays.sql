-- Join on two columns, grouped by an expression.
SELECT d.origin,
       CASE WHEN w.visib < 3 THEN 'fog' WHEN w.precip > 0 THEN 'rain' WHEN w.wind_speed > 20 THEN 'wind'
            ELSE 'fair' END AS weather,
       count(*) AS flights, avg(d.dep_delay) AS avg_dep_delay
  FROM departures AS d
  JOIN weather AS w ON w.origin = d.origin AND w.time_hour = d.time_hour
 GROUP BY 1, 2
