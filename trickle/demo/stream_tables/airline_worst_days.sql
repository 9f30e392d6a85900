-- Its left side.
SELECT carrier, max(late) AS most_late
  FROM airline_days
 GROUP BY carrier
