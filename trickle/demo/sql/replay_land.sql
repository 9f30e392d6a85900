UPDATE departures AS d
   SET status = CASE WHEN f.arr_delay IS NULL THEN 'diverted' ELSE 'landed' END, arr_delay = f.arr_delay
  FROM flights AS f
 WHERE f.flight_id = d.flight_id AND d.flight_id = ANY (%(flight_ids)s)
