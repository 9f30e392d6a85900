-- The catalog. Read by every process; written by the functions of schema pgtrickle in the caller's transaction.
SET LOCAL check_function_bodies = off;

CREATE SCHEMA IF NOT EXISTS pgtrickle;
CREATE SCHEMA IF NOT EXISTS pgtrickle_changes;
CREATE SCHEMA IF NOT EXISTS pgtrickle_programs;

-- Which database the frontiers belong to. Plain oids: a regclass would be dumped as a name and follow a restore.
CREATE TABLE pgtrickle.identity (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    system_identifier bigint NOT NULL,
    database_oid      oid    NOT NULL,
    catalog_oid       oid    NOT NULL,
    epoch             uuid   NOT NULL DEFAULT gen_random_uuid(),
    catalog_version   text   NOT NULL,
    installed_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pgtrickle.pgt_settings (
    name       text PRIMARY KEY,
    value      text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pgtrickle.pgt_stream_tables (
    pgt_id                   bigserial PRIMARY KEY,
    pgt_relid                oid  NOT NULL UNIQUE,
    pgt_name                 text NOT NULL,
    pgt_schema               text NOT NULL,
    pgt_owner                name NOT NULL,
    defining_query           text NOT NULL,
    original_query           text NOT NULL,
    schedule                 text,
    refresh_mode             text NOT NULL DEFAULT 'DIFFERENTIAL'
        CHECK (refresh_mode IN ('FULL', 'DIFFERENTIAL', 'IMMEDIATE')),
    -- As it was asked for: with AUTO each refresh of a differential table chooses by predicted cost.
    requested_mode           text NOT NULL DEFAULT 'AUTO'
        CHECK (requested_mode IN ('AUTO', 'FULL', 'DIFFERENTIAL', 'IMMEDIATE')),
    status                   text NOT NULL DEFAULT 'INITIALIZING'
        CHECK (status IN ('INITIALIZING', 'ACTIVE', 'PAUSED', 'SUSPENDED', 'ERROR')),
    is_populated             boolean NOT NULL DEFAULT false,
    data_timestamp           timestamptz,
    last_refresh_at          timestamptz,
    consecutive_errors       int NOT NULL DEFAULT 0,
    needs_reinit             boolean NOT NULL DEFAULT false,
    effective_refresh_mode   text,
    last_full_ms             float8,
    last_error_message       text,
    last_error_at            timestamptz,
    -- What the server says of the query: 'i', 's' or 'v', the functions it calls, and how they looked.
    query_volatility         "char" NOT NULL DEFAULT 'i' CHECK (query_volatility IN ('i', 's', 'v')),
    volatility_reason        text,
    functions_used           text[] NOT NULL DEFAULT '{}',
    function_oids            oid[]  NOT NULL DEFAULT '{}',
    function_hashes          text,
    -- Settings under which a query with STABLE functions means what its creator meant.
    session_settings         jsonb  NOT NULL DEFAULT '{}',
    program_state            text NOT NULL DEFAULT 'none'
        CHECK (program_state IN ('none', 'compiled', 'full_only', 'stale')),
    program_version          text,
    program_reason           text,
    program_explain          jsonb,
    diamond_consistency      text NOT NULL DEFAULT 'atomic' CHECK (diamond_consistency IN ('none', 'atomic')),
    diamond_schedule_policy  text NOT NULL DEFAULT 'fastest' CHECK (diamond_schedule_policy IN ('fastest', 'slowest')),
    requested_cdc_mode       text CHECK (requested_cdc_mode IN ('auto', 'trigger', 'wal')),
    has_keyless_source       boolean NOT NULL DEFAULT false,
    is_append_only           boolean NOT NULL DEFAULT false,
    pooler_compatibility_mode boolean NOT NULL DEFAULT false,
    st_partition_key         text,
    max_differential_joins   int,
    max_delta_fraction       float8,
    refresh_tier             text NOT NULL DEFAULT 'hot' CHECK (refresh_tier IN ('hot', 'warm', 'cold', 'frozen')),
    fuse_mode                text NOT NULL DEFAULT 'off' CHECK (fuse_mode IN ('off', 'on', 'auto')),
    fuse_state               text NOT NULL DEFAULT 'armed' CHECK (fuse_state IN ('armed', 'blown', 'disabled')),
    fuse_ceiling             bigint,
    fuse_sensitivity         int,
    -- Of a stream table that reads itself, directly or not: its cycle, how many turns the last refresh took, and the
    -- frontier it left there. With another one somebody has refreshed it alone, and what it holds need not be least.
    scc_id                   int,
    last_fixpoint_iterations int,
    fixpoint_frontier        text,
    blown_at                 timestamptz,
    blow_reason              text,
    -- How old its rows may become.
    freshness_deadline_ms    bigint CHECK (freshness_deadline_ms > 0),
    has_outbox               boolean NOT NULL DEFAULT false,
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pgt_schema, pgt_name)
) WITH (fillfactor = 50);
CREATE INDEX pgt_stream_tables_status_idx ON pgtrickle.pgt_stream_tables (status);

-- One row per captured source. The pruner locks it FOR UPDATE; a consumer's foreign key holds it FOR KEY SHARE.
CREATE TABLE pgtrickle.pgt_change_tracking (
    source_relid      oid PRIMARY KEY,
    source_id         int GENERATED ALWAYS AS IDENTITY UNIQUE,
    source_schema     text NOT NULL,
    source_name       text NOT NULL,
    captured_attnums  smallint[] NOT NULL DEFAULT '{}',
    capture_mode      text NOT NULL DEFAULT 'statement' CHECK (capture_mode IN ('statement', 'row')),
    -- Of a copy that is kept by polling: what it is a copy of, and when the two last differed.
    polled_relid      oid,
    polled_at         timestamptz,
    -- Changes of transactions below this one may have been removed.
    pruned_below      xid8,
    created_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pgtrickle.pgt_dependencies (
    pgt_id          bigint NOT NULL REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    source_relid    oid    NOT NULL,
    source_type     text   NOT NULL
        CHECK (source_type IN ('TABLE', 'STREAM_TABLE', 'VIEW', 'MATVIEW', 'FOREIGN_TABLE')),
    source_schema   text   NOT NULL,
    source_name     text   NOT NULL,
    source_id       int REFERENCES pgtrickle.pgt_change_tracking (source_id),
    columns_used    text[] NOT NULL DEFAULT '{}',
    column_snapshot jsonb,
    stamp           text,
    cdc_mode        text   NOT NULL DEFAULT 'TRIGGER' CHECK (cdc_mode IN ('TRIGGER', 'POLL', 'NONE')),
    PRIMARY KEY (pgt_id, source_relid)
);
CREATE INDEX pgt_dependencies_source_relid_idx ON pgtrickle.pgt_dependencies (source_relid);
CREATE INDEX pgt_dependencies_source_id_idx ON pgtrickle.pgt_dependencies (source_id);

-- Which IMMEDIATE stream tables a source's writers bring up to date, and in which order: derived from the dependencies.
CREATE TABLE pgtrickle.pgt_immediate (
    source_id int    NOT NULL REFERENCES pgtrickle.pgt_change_tracking (source_id) ON DELETE CASCADE,
    pgt_id    bigint NOT NULL REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    place     int    NOT NULL,
    PRIMARY KEY (source_id, pgt_id)
);

-- What a stream table has consumed; snapshot NULL asks for a full refresh. Apart from the catalog row: it is hot.
CREATE TABLE pgtrickle.pgt_frontiers (
    pgt_id        bigint PRIMARY KEY REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    snapshot      pg_snapshot,
    own_xid       xid8   NOT NULL,
    own_seq       bigint NOT NULL,
    rows_inserted bigint NOT NULL DEFAULT 0,
    rows_updated  bigint NOT NULL DEFAULT 0,
    rows_deleted  bigint NOT NULL DEFAULT 0,
    markers       bigint NOT NULL DEFAULT 0,
    unfoldable    bigint NOT NULL DEFAULT 0,
    state_faults  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE pgtrickle.pgt_refresh_history (
    refresh_id      bigserial PRIMARY KEY,
    pgt_id          bigint NOT NULL REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    data_timestamp  timestamptz NOT NULL,
    start_time      timestamptz NOT NULL,
    end_time        timestamptz,
    action          text,
    rows_inserted   bigint NOT NULL DEFAULT 0,
    rows_updated    bigint NOT NULL DEFAULT 0,
    rows_deleted    bigint NOT NULL DEFAULT 0,
    delta_row_count bigint NOT NULL DEFAULT 0,
    was_full_fallback boolean NOT NULL DEFAULT false,
    -- What was known before an AUTO refresh; the outcome is end_time - start_time.
    changes_seen    bigint,
    predicted_differential_ms float8,
    predicted_full_ms float8,
    reason          text,
    error_code      text,
    error_message   text,
    status          text NOT NULL CHECK (status IN ('RUNNING', 'COMPLETED', 'FAILED', 'SKIPPED')),
    initiated_by    text NOT NULL CHECK (initiated_by IN ('SCHEDULER', 'MANUAL', 'INITIAL', 'WRITER', 'SELF_MONITOR')),
    CHECK (end_time IS NULL OR end_time >= start_time)
);
CREATE INDEX pgt_refresh_history_data_idx ON pgtrickle.pgt_refresh_history (pgt_id, data_timestamp);
CREATE INDEX pgt_refresh_history_start_idx ON pgtrickle.pgt_refresh_history (pgt_id, start_time);

-- Copies of stream tables that can be put back. That a row is here says that this database took the snapshot: a copy of it
-- elsewhere has no such row, and its frontier counts for nothing there.
CREATE TABLE pgtrickle.pgt_snapshots (
    snapshot_id      bigserial PRIMARY KEY,
    pgt_id           bigint NOT NULL REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    snapshot_schema  text   NOT NULL,
    snapshot_table   text   NOT NULL,
    snapshot_version text   NOT NULL DEFAULT '1',
    token            uuid   NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    epoch            uuid   NOT NULL,
    snapshot         pg_snapshot,
    own_xid          xid8   NOT NULL,
    own_seq          bigint NOT NULL,
    basis            text   NOT NULL,
    is_held          boolean NOT NULL DEFAULT true,
    row_count        bigint NOT NULL,
    data_timestamp   timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (snapshot_schema, snapshot_table)
);
CREATE INDEX pgt_snapshots_pgt_id_idx ON pgtrickle.pgt_snapshots (pgt_id);

-- When it was last told of what goes on for long, so that it is not told all the time.
CREATE TABLE pgtrickle.pgt_alerts (
    event      text   NOT NULL,
    pgt_id     bigint NOT NULL DEFAULT 0,
    source_id  int    NOT NULL DEFAULT 0,
    times      int    NOT NULL DEFAULT 1,
    alerted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (event, pgt_id, source_id)
);

-- What full refreshes have taken, at which size of the sources. Apart from the catalog row, as the frontier is.
CREATE TABLE pgtrickle.pgt_full_costs (
    pgt_id       bigint PRIMARY KEY REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    ms           float8 NOT NULL,
    source_bytes bigint NOT NULL,
    measured     int    NOT NULL DEFAULT 0,
    doubt        float8
) WITH (fillfactor = 50);

-- What differential refreshes take, for each set of sources that changed together: fixed_ms + changes × ms_per_change.
CREATE TABLE pgtrickle.pgt_differential_costs (
    pgt_id        bigint NOT NULL REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    changed       int[]  NOT NULL,
    fixed_ms      float8 NOT NULL,
    ms_per_change float8 NOT NULL,
    measured      int    NOT NULL DEFAULT 0,
    largest       bigint NOT NULL DEFAULT 0,
    doubt         float8,
    last_choice   text   NOT NULL DEFAULT 'DIFFERENTIAL' CHECK (last_choice IN ('FULL', 'DIFFERENTIAL')),
    credit_ms     float8 NOT NULL DEFAULT 0,
    confirmed     int    NOT NULL DEFAULT 0,
    PRIMARY KEY (pgt_id, changed)
) WITH (fillfactor = 50);

-- Sources whose readers are not refreshed by the scheduler while they are being loaded.
CREATE TABLE pgtrickle.pgt_source_gates (
    source_relid oid PRIMARY KEY,
    gated        boolean NOT NULL DEFAULT true,
    gated_at     timestamptz NOT NULL DEFAULT now(),
    ungated_at   timestamptz,
    gated_by     text
);

-- Up to which moment of its data a source is complete, as its loader says.
CREATE TABLE pgtrickle.pgt_watermarks (
    source_relid oid PRIMARY KEY,
    watermark    timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    advanced_by  text,
    wal_lsn      pg_lsn
);

CREATE TABLE pgtrickle.pgt_watermark_groups (
    group_id       serial PRIMARY KEY,
    group_name     text NOT NULL UNIQUE,
    source_relids  oid[] NOT NULL,
    tolerance_secs float8 NOT NULL DEFAULT 0 CHECK (tolerance_secs >= 0),
    created_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pgtrickle.pgt_instances (
    group_id     text NOT NULL,
    instance_id  text NOT NULL,
    hostname     text,
    pid          int,
    backend_pid  int,
    capacity     int NOT NULL DEFAULT 1,
    lock_budget  bigint NOT NULL DEFAULT 0,
    -- The numbers of shards of which it may hold claims: two while it goes over from one to another.
    shard_counts int[] NOT NULL DEFAULT '{}',
    -- The stream tables that it has claimed and leaves alone, because another instance has them under another claim.
    waits_for    bigint[] NOT NULL DEFAULT '{}',
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, instance_id)
) WITH (fillfactor = 50);

-- Stream tables that are refreshed in one transaction because somebody said so.
CREATE TABLE pgtrickle.pgt_refresh_groups (
    group_id       serial PRIMARY KEY,
    group_name     text NOT NULL UNIQUE,
    member_pgt_ids bigint[] NOT NULL,
    isolation      text NOT NULL DEFAULT 'read_committed' CHECK (isolation IN ('read_committed', 'repeatable_read')),
    created_at     timestamptz NOT NULL DEFAULT now()
);

-- What instances have given to their refresh subprocesses, written in batches; a job is one unit at one time.
CREATE TABLE pgtrickle.pgt_scheduler_jobs (
    job_id         bigserial PRIMARY KEY,
    unit_key       text NOT NULL,
    unit_kind      text NOT NULL CHECK (unit_kind IN ('singleton', 'atomic_group', 'immediate_closure', 'cyclic_scc',
                                                      'repeatable_read_group', 'fused_chain')),
    member_pgt_ids bigint[] NOT NULL,
    root_pgt_id    bigint NOT NULL,
    status         text NOT NULL CHECK (status IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'RETRYABLE_FAILED', 'PERMANENT_FAILED',
                                                   'CANCELLED')),
    scheduler_pid  int NOT NULL,
    worker_pid     int,
    attempt_no     int NOT NULL DEFAULT 1,
    enqueued_at    timestamptz NOT NULL DEFAULT now(),
    started_at     timestamptz,
    finished_at    timestamptz,
    outcome_detail text,
    retryable      boolean
) WITH (fillfactor = 50);
CREATE INDEX pgt_scheduler_jobs_status_idx ON pgtrickle.pgt_scheduler_jobs (status, enqueued_at);
CREATE INDEX pgt_scheduler_jobs_finished_idx ON pgtrickle.pgt_scheduler_jobs (finished_at);

CREATE TYPE pgtrickle.refresh_outcome AS (
    action        text,
    rows_inserted bigint,
    rows_updated  bigint,
    rows_deleted  bigint,
    reason        text
);

-- How one refresh of an AUTO stream table is to be done, and from what that was predicted.
CREATE TYPE pgtrickle.refresh_choice AS (
    action          text,
    changed         int[],
    changes         bigint,
    differential_ms float8,
    full_ms         float8,
    cautious_ms_per_change float8,
    is_trial        boolean,
    reason          text
);

-- One sequence for all buffers: a frontier keeps a single own_seq. Never cycled, never set back.
-- Each session takes numbers in blocks, so writers do not meet here; within a session they only grow, which is all that
-- a frontier asks of them.
CREATE SEQUENCE pgtrickle_changes.change_seq CACHE 64;

-- Numbers of statements that write sources of IMMEDIATE stream tables. They are secret, so they begin anywhere.
CREATE SEQUENCE pgtrickle_changes.statement_seq CACHE 64;
SELECT setval('pgtrickle_changes.statement_seq', ('x' || substr(md5(gen_random_uuid()::text), 1, 15))::bit(60)::bigint);

CREATE TABLE pgtrickle_changes.markers (
    source_id int    NOT NULL,
    seq       bigint NOT NULL,
    xid       xid8   NOT NULL,
    reason    text   NOT NULL
);
CREATE INDEX markers_source_xid_idx ON pgtrickle_changes.markers (source_id, xid);

INSERT INTO pgtrickle.identity (system_identifier, database_oid, catalog_oid, catalog_version)
SELECT (pg_control_system()).system_identifier,
       (SELECT oid FROM pg_database WHERE datname = current_database()),
       'pgtrickle.identity'::regclass::oid,
       '0.1.0';
