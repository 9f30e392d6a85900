-- Join and aggregate: 16 groups over the whole year.
SELECT a.name AS airline, count(*) AS flights, avg(d.dep_delay) AS avg_dep_delay, avg(d.arr_delay) AS avg_arr_delay,
       sum(CASE WHEN d.arr_delay > 15 THEN 1 ELSE 0 END) AS late, max(d.arr_delay) AS worst_arr_delay
  FROM departures AS d
  JOIN airlines AS a ON a.carrier = d.carrier
 GROUP BY a.name
