-- Has anything been captured that lies beyond this frontier? The locks of looking go with a subtransaction: whoever asks for
-- thousands of stream tables in one statement would fill the lock table of the server, and writers would find it full.
CREATE FUNCTION pgtrickle._has_captured(f pgtrickle.pgt_frontiers) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    f_xmin xid8;
    f_xmax xid8;
    f_xip  xid8[];
    source int;
    found_one boolean := false;
BEGIN
    f_xmin := pg_snapshot_xmin(f.snapshot);
    f_xmax := pg_snapshot_xmax(f.snapshot);
    f_xip := ARRAY(SELECT pg_snapshot_xip(f.snapshot));
    BEGIN
        FOR source IN
            SELECT d.source_id FROM pgtrickle.pgt_dependencies d
            WHERE d.pgt_id = f.pgt_id AND d.source_id IS NOT NULL
        LOOP
            IF EXISTS (SELECT FROM pgtrickle_changes.markers m
                       WHERE m.source_id = source AND m.xid >= least(f_xmin, f.own_xid)
                         AND (m.xid >= f_xmax OR m.xid = ANY (f_xip) OR m.xid = f.own_xid)
                         AND (m.xid <> f.own_xid OR m.seq > f.own_seq)) THEN
                found_one := true;
                EXIT;
            END IF;
            -- In index order: the planner believes such rows are common, and would scan from where the consumed ones lie.
            -- Where nobody else was in flight there are hardly any consumed ones behind xmin, and one probe is planned in a
            -- third of the time; where somebody was, there may be those of an hour.
            IF f_xip = '{}' AND f.own_xid >= f_xmin THEN
                EXECUTE format(
                    'SELECT true FROM pgtrickle_changes.changes_%1$s x WHERE x.xid >= $1 '
                    'AND (x.xid >= $2 OR x.xid = $3) AND (x.xid <> $3 OR x.seq > $4) ORDER BY x.xid LIMIT 1', source)
                INTO found_one USING f_xmin, f_xmax, f.own_xid, f.own_seq;
            ELSE
                EXECUTE format(
                    'SELECT (SELECT true FROM pgtrickle_changes.changes_%1$s x WHERE x.xid >= $1 AND x.xid <> $3 '
                    'ORDER BY x.xid LIMIT 1) IS TRUE '
                    'OR (SELECT true FROM pgtrickle_changes.changes_%1$s x WHERE x.xid = ANY ($2) AND x.xid <> $3 '
                    'ORDER BY x.xid LIMIT 1) IS TRUE '
                    'OR (SELECT true FROM pgtrickle_changes.changes_%1$s x WHERE x.xid = $3 AND x.seq > $4 '
                    'ORDER BY x.xid LIMIT 1) IS TRUE', source)
                INTO found_one USING f_xmax, f_xip, f.own_xid, f.own_seq;
            END IF;
            EXIT WHEN found_one;
        END LOOP;
        RAISE SQLSTATE 'PGT02';
    EXCEPTION WHEN SQLSTATE 'PGT02' THEN
        RETURN found_one IS TRUE;
    END;
END
$fn$;
