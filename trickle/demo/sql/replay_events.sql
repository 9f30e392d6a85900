-- Everything that happens in the month that is replayed, in order. %(month)s
-- A flight is announced an hour ahead. One that lands elsewhere has no air time in the records: three hours.
SELECT happens_at, kind, flight_id
  FROM (SELECT flight_id, dep_time, arr_delay, dep_delay, air_time,
               make_timestamp(year, month, day, hour, minute, 0) AS scheduled_at
          FROM flights
         WHERE month = %(month)s) AS f
 CROSS JOIN LATERAL (VALUES
        ('announce', f.scheduled_at - interval '1 hour', true),
        ('cancel', f.scheduled_at + interval '20 minutes', f.dep_time IS NULL),
        ('depart', f.scheduled_at + make_interval(mins => f.dep_delay), f.dep_time IS NOT NULL),
        ('land', f.scheduled_at + make_interval(mins => f.dep_delay + coalesce(f.air_time, 180) + 20),
            f.dep_time IS NOT NULL)
       ) AS e (kind, happens_at, is_real)
 WHERE e.is_real
 ORDER BY happens_at, flight_id
