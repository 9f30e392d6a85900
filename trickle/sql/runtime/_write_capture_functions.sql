-- (Re)write the capture functions of one source for one layout of its members; suffix is '' for the root's layout.
-- Columns are read through one-line SQL functions over the row type. PostgreSQL inlines them to plain column reads,
-- follows RENAME, and refuses DROP COLUMN and ALTER TYPE with a dependency error instead of failing the next write.
CREATE FUNCTION pgtrickle._write_capture_functions(source_id int, relid oid, member oid, suffix text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    prefix      text := format('pgtrickle_changes.capture_%s%s', source_id, suffix);
    buffer      text := format('pgtrickle_changes.changes_%s', source_id);
    head        text := 'CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
                        'SET search_path = pg_catalog, pg_temp AS $capture$ ';  -- names of ours begin with __pgt_: columns are named freely
    names       text := '';
    from_new    text := '';
    from_old    text := '';
    from_row_new text := '';
    from_row_old text := '';
    images      text := '';
    groups      boolean := true;
    captured    int := 0;
    unread      boolean;  -- does the table have a column that nobody reads?
    -- Last of all, when something was written: whoever waits for it has locked the bell, and is told at commit. Who finds
    -- it free holds it until then, so that nobody arms it behind the back of a change that is not to be seen yet.
    bell        text := format('IF FOUND AND NOT pg_try_advisory_xact_lock_shared(%s, %s) THEN '
                               'PERFORM pg_notify(''pgtrickle_wake'', ''%s''); END IF; ',
                               pgtrickle._bell_class(), pgtrickle._bell(source_id), source_id);
    -- A row that a MERGE moves to another partition stands in none of the transition tables that PostgreSQL shows to
    -- the triggers of the root: after a MERGE that may have moved rows only a full refresh is right.
    moves       text := CASE WHEN (SELECT c.relkind FROM pg_class c WHERE c.oid = member) = 'p' THEN
        'GET DIAGNOSTICS __pgt_context = PG_CONTEXT; '
        'IF current_query() || __pgt_context ~* ''[[:<:]]merge[[:>:]]'' THEN '
        'INSERT INTO pgtrickle_changes.markers (source_id, seq, xid, reason) '
        || format('VALUES (%s, nextval(''pgtrickle_changes.change_seq''), pg_current_xact_id(), ''MERGE''); ', source_id)
        || bell || 'RETURN NULL; END IF; ' ELSE '' END;
    reader      text;
    update_body text;
    col         record;
BEGIN
    FOR col IN
        SELECT a.attnum, ma.attname, b.base, format_type(b.base, -1) AS type, b.collation
        FROM pgtrickle.pgt_change_tracking t
        JOIN pg_attribute a ON a.attrelid = relid AND a.attnum = ANY (t.captured_attnums) AND NOT a.attisdropped
        JOIN pg_attribute ma ON ma.attrelid = member AND ma.attname = a.attname AND NOT ma.attisdropped
        CROSS JOIN LATERAL (SELECT pgtrickle._base_type(a.atttypid) AS base, a.attcollation AS collation) b
        WHERE t.source_id = _write_capture_functions.source_id
        ORDER BY a.attnum
    LOOP
        reader := format('pgtrickle_changes.read_%s%s_%s', source_id, suffix, col.attnum);
        EXECUTE format('CREATE OR REPLACE FUNCTION %s(pgt_row %s) RETURNS %s LANGUAGE sql IMMUTABLE PARALLEL SAFE '
                       'RETURN ((pgt_row).%I)::%s', reader, member::regclass, col.type, col.attname, col.type);
        PERFORM pgtrickle._adopt('FUNCTION', format('%s(%s)', reader, member::regclass));
        captured := captured + 1;
        names := names || format(', c%s', col.attnum);
        from_new := from_new || format(', %s(__pgt_new_row)', reader);
        from_old := from_old || format(', %s(__pgt_old_row)', reader);
        from_row_new := from_row_new || format(', %s(NEW)', reader);
        from_row_old := from_row_old || format(', %s(OLD)', reader);
        IF NOT pgtrickle._type_equal_is_same(col.base, col.collation) THEN
            IF groups AND NOT pgtrickle._type_groups(col.base) THEN
                groups := false;
            END IF;
            images := images || format(', c%s::text', col.attnum);
        END IF;
    END LOOP;
    SELECT count(*) > captured INTO unread FROM pg_attribute a
    WHERE a.attrelid = member AND a.attnum > 0 AND NOT a.attisdropped;

    EXECUTE format(head, prefix || '_insert') || format(
        'DECLARE __pgt_seq bigint := nextval(''pgtrickle_changes.change_seq''); BEGIN '
        'INSERT INTO %s (seq, xid, weight%s) SELECT __pgt_seq, pg_current_xact_id(), 1%s FROM pgt_new __pgt_new_row; '
        '%s RETURN NULL; END $capture$', buffer, names, from_new, bell);
    EXECUTE format(head, prefix || '_delete') || format(
        'DECLARE __pgt_seq bigint := nextval(''pgtrickle_changes.change_seq''); BEGIN '
        'INSERT INTO %s (seq, xid, weight%s) SELECT __pgt_seq, pg_current_xact_id(), -1%s FROM pgt_old __pgt_old_row; '
        '%s RETURN NULL; END $capture$', buffer, names, from_old, bell);
    EXECUTE format(head, prefix || '_truncate') || format(
        'BEGIN INSERT INTO pgtrickle_changes.markers (source_id, seq, xid, reason) '
        'VALUES (%s, nextval(''pgtrickle_changes.change_seq''), pg_current_xact_id(), ''TRUNCATE''); '
        '%s RETURN NULL; END $capture$', source_id, bell);

    -- An UPDATE that touches only columns nobody reads writes nothing. Comparing the first pair of rows by image tells
    -- the common statements apart: where they differ, all rows are written; where they are the same, a one-row
    -- statement is done, and only a statement of many rows pays for netting. The comparison is a third of what
    -- capture costs a one-row UPDATE, so it is left out where every column is read: there only an UPDATE that sets what
    -- was set already could be spared, and its two rows cancel at the next refresh.
    IF names = '' THEN
        update_body := 'DECLARE __pgt_context text; BEGIN ' || moves || 'RETURN NULL; END $capture$';
    ELSE
        update_body := 'DECLARE __pgt_seq bigint := nextval(''pgtrickle_changes.change_seq''); __pgt_context text; BEGIN '
            || moves;
        IF unread THEN
            update_body := update_body || format(
                'IF record_image_eq((SELECT ROW(%1$s) FROM pgt_old __pgt_old_row LIMIT 1), '
                '(SELECT ROW(%2$s) FROM pgt_new __pgt_new_row LIMIT 1)) IS NOT FALSE THEN '
                'IF (SELECT count(*) FROM (SELECT FROM pgt_new LIMIT 2) x) < 2 THEN RETURN NULL; END IF; ',
                substr(from_old, 3), substr(from_new, 3));
            IF groups THEN
                update_body := update_body || format(
                    'INSERT INTO %1$s (seq, xid, weight%2$s) '
                    'SELECT __pgt_seq, pg_current_xact_id(), sign(w)%2$s FROM ('
                    'SELECT sum(w) AS w%2$s FROM ('
                    'SELECT -1 AS w%3$s FROM pgt_old __pgt_old_row UNION ALL SELECT 1%4$s FROM pgt_new __pgt_new_row) u(w%2$s) '
                    'GROUP BY %5$s%6$s HAVING sum(w) <> 0) net, generate_series(1, abs(w)); %7$s RETURN NULL; ',
                    buffer, names, from_old, from_new, substr(names, 3), images, bell);
            END IF;
            update_body := update_body || 'END IF; ';
        END IF;
        update_body := update_body || format(
            'INSERT INTO %1$s (seq, xid, weight%2$s) '
            'SELECT __pgt_seq, pg_current_xact_id(), (-1)::smallint%3$s FROM pgt_old __pgt_old_row '
            'UNION ALL SELECT __pgt_seq, pg_current_xact_id(), 1::smallint%4$s FROM pgt_new __pgt_new_row; '
            '%5$s RETURN NULL; END $capture$', buffer, names, from_old, from_new, bell);
    END IF;
    EXECUTE format(head, prefix || '_update') || update_body;

    -- The row trigger is created on the root and cloned to partitions; their rows convert to the root's type.
    IF member = relid THEN
        EXECUTE format(head, prefix || '_row') || format(
            'BEGIN IF TG_OP = ''UPDATE'' THEN '
            'IF %4$s THEN RETURN NULL; END IF; '
            'INSERT INTO %1$s (seq, xid, weight%2$s) VALUES '
            '(nextval(''pgtrickle_changes.change_seq''), pg_current_xact_id(), -1%3$s), '
            '(nextval(''pgtrickle_changes.change_seq''), pg_current_xact_id(), 1%5$s); '
            'ELSIF TG_OP = ''INSERT'' THEN '
            'INSERT INTO %1$s (seq, xid, weight%2$s) VALUES '
            '(nextval(''pgtrickle_changes.change_seq''), pg_current_xact_id(), 1%5$s); '
            'ELSE '
            'INSERT INTO %1$s (seq, xid, weight%2$s) VALUES '
            '(nextval(''pgtrickle_changes.change_seq''), pg_current_xact_id(), -1%3$s); '
            'END IF; %6$s RETURN NULL; END $capture$',
            buffer, names, from_row_old,
            CASE WHEN names = '' THEN 'true'
                 ELSE format('record_image_eq(ROW(%s), ROW(%s))', substr(from_row_old, 3), substr(from_row_new, 3)) END,
            from_row_new, bell);
        PERFORM pgtrickle._adopt('FUNCTION', prefix || '_row()');
    END IF;
    PERFORM pgtrickle._adopt('FUNCTION', format('%s_%s()', prefix, kind))
    FROM unnest(ARRAY['insert', 'update', 'delete', 'truncate']) kind;
END
$fn$;
