-- Its right side.
SELECT carrier, avg(late) AS usually_late, avg(flights) AS usual_flights
  FROM airline_days
 GROUP BY carrier
