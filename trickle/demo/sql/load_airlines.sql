COPY airlines (carrier, name) FROM STDIN (FORMAT csv, HEADER MATCH, NULL 'NA')
