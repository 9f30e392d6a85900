INSERT INTO departures (flight_id, day, carrier, flight, tailnum, origin, dest, distance, scheduled_at, time_hour, status)
SELECT flight_id, make_date(year, month, day), carrier, flight, tailnum, origin, dest, distance,
       make_timestamp(year, month, day, hour, minute, 0), time_hour, 'scheduled'
  FROM flights
 WHERE flight_id = ANY (%(flight_ids)s)
