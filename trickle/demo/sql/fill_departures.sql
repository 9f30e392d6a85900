-- One month of the past, as the replay would have left it: cancelled flights are gone. %(month)s
INSERT INTO departures
SELECT flight_id, make_date(year, month, day), carrier, flight, tailnum, origin, dest, distance,
       make_timestamp(year, month, day, hour, minute, 0), time_hour,
       CASE WHEN arr_delay IS NULL THEN 'diverted' ELSE 'landed' END, dep_delay, arr_delay
  FROM flights
 WHERE month = %(month)s AND dep_time IS NOT NULL
