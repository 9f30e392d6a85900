-- A chain: the busy ones of those, with names.
SELECT r.origin, o.name AS origin_name, r.dest, d.name AS dest_name, r.flights, r.avg_arr_delay
  FROM routes AS r
  JOIN airports AS o ON o.faa = r.origin
  JOIN airports AS d ON d.faa = r.dest
 WHERE r.flights >= 5000
