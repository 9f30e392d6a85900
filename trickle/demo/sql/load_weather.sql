COPY weather (origin, year, month, day, hour, temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip, pressure,
    visib, time_hour)
FROM STDIN (FORMAT csv, HEADER MATCH, NULL 'NA')
