VACUUM (ANALYZE, PARALLEL 0) airlines, airports, planes, weather, flights, departures
