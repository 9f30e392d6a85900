COPY airports (faa, name, lat, lon, alt, tz, dst, tzone) FROM STDIN (FORMAT csv, HEADER MATCH, NULL 'NA')
