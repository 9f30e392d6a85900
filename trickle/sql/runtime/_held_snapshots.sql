-- The snapshots whose changes are kept, so that a refresh after their restore can be differential.
CREATE FUNCTION pgtrickle._held_snapshots() RETURNS SETOF pgtrickle.pgt_snapshots
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.* FROM pgtrickle.pgt_snapshots s
    WHERE s.is_held AND s.snapshot IS NOT NULL AND s.created_at > now() - make_interval(hours => pgtrickle._setting_number('snapshot_hold_hours', '24')::int)
      AND s.epoch = (SELECT i.epoch FROM pgtrickle.identity i)
      AND to_regclass(format('%I.%I', s.snapshot_schema, s.snapshot_table)) IS NOT NULL
$fn$;
