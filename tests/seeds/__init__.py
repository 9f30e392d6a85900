"""What the documents of the field print is run as printed.

Three pages describe how stream tables are used: best-practice patterns, a scaling guide and a guide to many tenants.
`printed/*.sql` holds every SQL statement they print, word for word, each under `--- section / name`. A story per
section prepares the tables the statements speak of, runs them, and says what must be in their answers.

Settings and functions that the pages and their reference name are in `settings.txt` and
`functions.txt`: each is there, or docs/settings.md and docs/operating.md say why not.
"""
