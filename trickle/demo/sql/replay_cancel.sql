DELETE FROM departures WHERE flight_id = ANY (%(flight_ids)s)
