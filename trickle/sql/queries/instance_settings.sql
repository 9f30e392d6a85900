-- Settings of this database, by bare name; those that nobody set are left out. And what the server allows: a
-- transaction that has notified cannot be prepared. %(names)s.
SELECT n.name, pgtrickle._setting(n.name, NULL) AS value
  FROM unnest(%(names)s::text[]) AS n(name)
 WHERE pgtrickle._setting(n.name, NULL) IS NOT NULL
 UNION ALL
SELECT 'may_notify', CASE current_setting('max_prepared_transactions') WHEN '0' THEN 'on' ELSE 'off' END
