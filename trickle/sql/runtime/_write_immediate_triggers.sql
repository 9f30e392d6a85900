-- Give a source the triggers of IMMEDIATE stream tables, on every member, or take them away. Costs nothing where they
-- are as they should be; otherwise the relation's writers are waited for and kept out until the transaction ends.
CREATE FUNCTION pgtrickle._write_immediate_triggers(source_id int, relid oid, is_read boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    item   record;
    owner  name;
    before text := current_setting('lock_timeout');
    wait   text := ceil(1000 * pgtrickle._setting_seconds('capture_lock_timeout', '2s'))::bigint || 'ms';
BEGIN
    FOR item IN SELECT t.* FROM pgtrickle._immediate_triggers(source_id, relid, is_read) t LOOP
        SELECT pg_get_userbyid(c.relowner) INTO owner FROM pg_class c WHERE c.oid = item.member;
        IF NOT pg_has_role(owner, 'USAGE') THEN
            RAISE EXCEPTION 'permission denied: % must act as owner of % for an IMMEDIATE stream table to follow its writes',
                current_user, item.member::regclass
                USING ERRCODE = '42501',
                      HINT = format('Run this as %I, or have %I granted to %I.', owner, owner, current_user);
        END IF;
        PERFORM pgtrickle._lock_source(item.member);
        IF item.is_there THEN
            -- Readers have to be waited for as well, and nobody should queue behind that for long.
            BEGIN
                PERFORM set_config('lock_timeout', wait, true);
                EXECUTE format('DROP TRIGGER %I ON %s', item.trigger_name, item.member::regclass);
                PERFORM set_config('lock_timeout', before, true);
            EXCEPTION WHEN lock_not_available THEN
                RAISE EXCEPTION 'lock timeout: % is in use by an open transaction, so its triggers were not removed within %',
                    item.member::regclass, wait
                    USING ERRCODE = '55P03',
                          HINT = 'Try again when that transaction has ended, or raise the setting capture_lock_timeout.';
            END;
        END IF;
        IF item.is_wanted THEN
            EXECUTE format(item.command, item.trigger_name, item.member::regclass, source_id);
            EXECUTE format('ALTER TABLE %s ENABLE %s TRIGGER %I', item.member::regclass, item.enabled, item.trigger_name);
        END IF;
    END LOOP;
END
$fn$;
