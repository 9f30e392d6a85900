COPY planes (tailnum, year, type, manufacturer, model, engines, seats, speed, engine)
FROM STDIN (FORMAT csv, HEADER MATCH, NULL 'NA')
