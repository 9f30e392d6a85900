-- The bottom of the diamond: both sides joined again.
SELECT a.name AS airline, u.usual_flights, u.usually_late, w.most_late
  FROM airline_usual_days AS u
  JOIN airline_worst_days AS w ON w.carrier = u.carrier
  JOIN airlines AS a ON a.carrier = u.carrier
