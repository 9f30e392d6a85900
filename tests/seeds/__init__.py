"""What the documents of the field print is run as printed.

Three pages describe how stream tables are used: best-practice patterns, a scaling guide and a guide to many tenants.
`printed/*.sql` holds every SQL statement they print, word for word, each under `--- section / name`. A story per
section prepares the tables the statements speak of, runs them, and says what must be in their answers.

Left out, with the reason, are only the statements listed in `NOT_HERE` of test_printed.py.
"""
