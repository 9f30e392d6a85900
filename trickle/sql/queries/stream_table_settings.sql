-- Settings of this database: the server's pg_trickle.* parameters, else the rows of set_config.
-- Parameters of no loaded library are not listed by pg_settings, so they are asked for by name.
SELECT n.name, pgtrickle._setting(n.name, NULL) AS value
  FROM unnest(%(names)s::text[]) AS n(name)
 WHERE pgtrickle._setting(n.name, NULL) IS NOT NULL
