-- Put hashes in place of the ordered indexes by which a stream table and its state tables find their rows, where a
-- column may be longer than such an index holds. One that only puts rows in order goes, if nothing else is left for it.
-- Says whether any was replaced; only who has the owner's rights can.
CREATE FUNCTION pgtrickle._hash_long_keys(pgt_id bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    found    record;
    replaced boolean := false;
BEGIN
    FOR found IN
        SELECT i.indrelid::regclass AS relation, x.oid::regclass AS index, x.relname,
               array_agg(a.attname::text ORDER BY k.place) AS columns
        FROM (SELECT s.pgt_relid AS relid, ARRAY[format('__pgt_key_%s', s.pgt_id), format('__pgt_walk_%s', s.pgt_id)] AS names
              FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _hash_long_keys.pgt_id
              UNION ALL
              SELECT t.state, NULL FROM pgtrickle._state_tables(_hash_long_keys.pgt_id) t) r
        JOIN pg_class c ON c.oid = r.relid AND pg_has_role(c.relowner, 'USAGE')
        JOIN pg_index i ON i.indrelid = r.relid
        JOIN pg_class x ON x.oid = i.indexrelid AND (r.names IS NULL OR x.relname = ANY (r.names))
        JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
        CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        JOIN pg_type t ON t.oid = a.atttypid
        GROUP BY i.indrelid, x.oid, x.relname
        HAVING bool_or(a.attlen = -1 AND t.typcategory <> 'N')
    LOOP
        PERFORM pgtrickle._lock_storage(found.relation);
        EXECUTE format('DROP INDEX %s', found.index);
        PERFORM pgtrickle._index_by_hash(found.relation, found.relname, found.columns);
        replaced := true;
    END LOOP;
    RETURN replaced;
END
$fn$;
