-- Open bells of ours, and say so to other instances: they may have counted on us. %(bells)s, %(payload)s.
WITH opened AS MATERIALIZED (
    SELECT pg_advisory_unlock(pgtrickle._bell_class(), b.bell) AS was_ours
      FROM unnest(%(bells)s::int[]) AS b(bell)
)
SELECT CASE WHEN count(*) > 0 AND (SELECT count(*) FROM pgtrickle.pgt_instances) > 1
            THEN pg_notify('pgtrickle_wake', %(payload)s)::text END
  FROM opened
