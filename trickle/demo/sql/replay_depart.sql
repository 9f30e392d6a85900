UPDATE departures AS d
   SET status = 'flying', dep_delay = f.dep_delay
  FROM flights AS f
 WHERE f.flight_id = d.flight_id AND d.flight_id = ANY (%(flight_ids)s)
