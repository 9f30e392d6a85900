-- Jobs. `name` is the queue. A claim reads the narrow index of what is ready, in its order, and nothing else: what waits for
-- its time, or for others of its key, is not ready. What has ended is out of that index, and goes by its retention.
CREATE TABLE pgtrickle.job (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL CHECK (name <> ''),
    priority         int NOT NULL DEFAULT 0,
    data             jsonb NOT NULL DEFAULT '{}',
    state            text NOT NULL DEFAULT 'created'
        CHECK (state IN ('created', 'retry', 'active', 'completed', 'cancelled', 'failed')),
    -- Its time has come, and nothing of its ordering key is before it.
    is_ready         boolean NOT NULL DEFAULT true,
    -- Another one of its ordering key was found to be before it; whoever ends that one takes this up again.
    is_parked        boolean NOT NULL DEFAULT false,
    start_after      timestamptz NOT NULL DEFAULT now(),
    expire_in        interval NOT NULL DEFAULT '15 minutes' CHECK (expire_in > '0'),
    retry_limit      int NOT NULL DEFAULT 2 CHECK (retry_limit >= 0),
    -- Attempts that have begun after the first one, those that ended with their worker included.
    retry_count      int NOT NULL DEFAULT 0,
    retry_delay      interval NOT NULL DEFAULT '1 second' CHECK (retry_delay >= '0'),
    retry_backoff    boolean NOT NULL DEFAULT true,
    -- The number of the lease: whoever completes, fails or extends an attempt says whose it was.
    epoch            bigint NOT NULL DEFAULT 0,
    worker_id        int,
    created_on       timestamptz NOT NULL DEFAULT now(),
    started_on       timestamptz,
    completed_on     timestamptz,
    singleton_key    text,
    ordering_key     text,
    -- While it has not begun, another one of this key takes its place.
    debounce_key     text,
    progress         jsonb,
    output           jsonb,
    dead_letter      text CHECK (dead_letter <> name),
    keep_for         interval NOT NULL DEFAULT '1 day',
    keep_until       timestamptz,
    -- Of a dead letter: the job that failed.
    source_name      text,
    source_id        bigint
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
        autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX job_ready_idx ON pgtrickle.job (name, priority DESC, id) WHERE state IN ('created', 'retry') AND is_ready;
CREATE INDEX job_due_idx ON pgtrickle.job (start_after) WHERE state IN ('created', 'retry') AND NOT is_ready AND NOT is_parked;
CREATE INDEX job_active_idx ON pgtrickle.job (worker_id) WHERE state = 'active';
CREATE INDEX job_keep_until_idx ON pgtrickle.job (keep_until) WHERE keep_until IS NOT NULL;
CREATE UNIQUE INDEX job_singleton_idx ON pgtrickle.job (name, singleton_key)
    WHERE singleton_key IS NOT NULL AND state IN ('created', 'retry', 'active');
CREATE UNIQUE INDEX job_debounce_idx ON pgtrickle.job (name, debounce_key)
    WHERE debounce_key IS NOT NULL AND state = 'created';
CREATE INDEX job_ordering_idx ON pgtrickle.job (name, ordering_key, id)
    WHERE ordering_key IS NOT NULL AND state IN ('created', 'retry');
-- Whatever goes wrong elsewhere: two of one key are never active.
CREATE UNIQUE INDEX job_ordering_active_idx ON pgtrickle.job (name, ordering_key)
    WHERE ordering_key IS NOT NULL AND state = 'active';

-- Jobs that somebody wants to stop, and that only their worker, or their turn, can end. Not a column: whoever cancels may
-- keep a transaction open, and no acknowledgement waits for it.
CREATE TABLE pgtrickle.job_cancel_requests (
    job_id       bigint PRIMARY KEY,
    requested_on timestamptz NOT NULL DEFAULT now()
);

-- When a job of a throttled key was made last; kept for as long as it keeps others from being made.
CREATE TABLE pgtrickle.job_throttles (
    name       text NOT NULL,
    key        text NOT NULL,
    job_id     bigint NOT NULL,
    open_again timestamptz NOT NULL,
    PRIMARY KEY (name, key)
);
CREATE INDEX job_throttles_open_again_idx ON pgtrickle.job_throttles (open_again);

-- Jobs that are made again and again. Runners say when the next one is due; nothing is made while there is no runner, and
-- then one for all that were missed.
CREATE TABLE pgtrickle.job_schedules (
    schedule_name text PRIMARY KEY CHECK (schedule_name <> ''),
    cron          text NOT NULL,
    time_zone     text NOT NULL,
    name          text NOT NULL CHECK (name <> ''),
    data          jsonb NOT NULL,
    priority      int NOT NULL,
    expire_in     interval NOT NULL,
    retry_limit   int NOT NULL,
    retry_delay   interval NOT NULL,
    retry_backoff boolean NOT NULL,
    may_overlap   boolean NOT NULL,
    ordering_key  text,
    dead_letter   text CHECK (dead_letter <> name),
    keep_for      interval NOT NULL,
    enabled       boolean NOT NULL,
    -- NULL: no runner has looked at it yet.
    next_on       timestamptz,
    last_on       timestamptz,
    last_job      bigint,
    skipped       bigint NOT NULL DEFAULT 0,
    problem       text
);
CREATE INDEX job_schedules_next_on_idx ON pgtrickle.job_schedules (next_on) WHERE enabled;

-- Each runner has a number of its own, and holds an advisory lock on it for as long as its session lasts.
CREATE SEQUENCE pgtrickle.job_worker_seq AS int MINVALUE 1 CYCLE OWNED BY pgtrickle.job.worker_id;

-- Schemas that have all of the above once more, each for a tenant alone.
CREATE TABLE pgtrickle.job_schemas (
    schema_name text PRIMARY KEY,
    created_on  timestamptz NOT NULL DEFAULT now()
);

-- Tenants that supervisors look after, for those that keep them in their home database: where the jobs of each are. Without
-- a url it is this database. Its credentials are references: postgresql://a:${env:A_PASSWORD}@host/a.
CREATE TABLE pgtrickle.tenants (
    tenant_id    text PRIMARY KEY CHECK (tenant_id <> ''),
    url          text NOT NULL DEFAULT '',
    schema_name  text NOT NULL DEFAULT 'pgtrickle',
    weight       float8 NOT NULL DEFAULT 1 CHECK (weight BETWEEN 0.01 AND 100),
    is_suspended boolean NOT NULL DEFAULT false,
    created_on   timestamptz NOT NULL DEFAULT now()
);

-- Where each hot tenant is, as its supervisor has said. It counts while that session holds the lock of the tenant.
CREATE TABLE pgtrickle.hot_tenants (
    lock_group  text NOT NULL,
    tenant_id   text NOT NULL,
    session_pid int NOT NULL,
    reason      text NOT NULL,
    promoted_on timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (lock_group, tenant_id)
);

-- What each supervisor has said of itself. It counts while its session lasts.
CREATE TABLE pgtrickle.tenant_supervisors (
    session_pid  int PRIMARY KEY,
    lock_group   text NOT NULL,
    host         text NOT NULL,
    process_pid  int NOT NULL,
    hot_pool_max int NOT NULL,
    tenants      int NOT NULL,
    waiting      int NOT NULL,
    said_on      timestamptz NOT NULL DEFAULT clock_timestamp()
);
