-- Settings of this database, by bare name; those that nobody set are left out.
SELECT n.name, pgtrickle._setting(n.name, NULL) AS value
  FROM unnest(%(names)s::text[]) AS n(name)
 WHERE pgtrickle._setting(n.name, NULL) IS NOT NULL
