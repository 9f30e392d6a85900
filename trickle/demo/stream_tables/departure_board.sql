-- Filter and join: what hangs over the gates. A flight enters an hour ahead and leaves when it lands.
SELECT d.flight_id, d.scheduled_at, a.name AS airline, d.carrier, d.flight, d.origin, p.name AS destination,
       d.status, d.dep_delay
  FROM departures AS d
  JOIN airlines AS a ON a.carrier = d.carrier
  JOIN airports AS p ON p.faa = d.dest
 WHERE d.status IN ('scheduled', 'flying')
