-- Outboxes: of stream tables, and of applications. Each has a table of its own in this schema.
CREATE TABLE pgtrickle.pgt_outbox_config (
    outbox_name        text PRIMARY KEY,
    -- NULL: an application publishes to it.
    pgt_id             bigint UNIQUE REFERENCES pgtrickle.pgt_stream_tables ON DELETE CASCADE,
    source_id          int REFERENCES pgtrickle.pgt_change_tracking (source_id),
    outbox_table_name  text NOT NULL UNIQUE,
    delta_table_name   text UNIQUE,
    retention_hours    int NOT NULL CHECK (retention_hours > 0),
    -- Of the changes captured on the stream table: the last one that a message tells of.
    last_seq           bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT now(),
    last_drained_at    timestamptz,
    last_drained_count bigint NOT NULL DEFAULT 0
);

-- A group reads an outbox window by window: what `cur` sees and `prev` did not, in the order of ids. So a transaction that
-- commits late is in a later window, and is never skipped; and nobody waits for it.
CREATE TABLE pgtrickle.pgt_consumer_groups (
    group_name        text PRIMARY KEY,
    outbox_name       text NOT NULL REFERENCES pgtrickle.pgt_outbox_config ON DELETE CASCADE,
    auto_offset_reset text NOT NULL CHECK (auto_offset_reset IN ('earliest', 'latest')),
    prev              pg_snapshot NOT NULL,
    cur               pg_snapshot NOT NULL,
    delivered_id      bigint NOT NULL DEFAULT 0,
    committed_id      bigint NOT NULL DEFAULT 0,
    epoch             bigint NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE INDEX pgt_consumer_groups_outbox_name_idx ON pgtrickle.pgt_consumer_groups (outbox_name);

CREATE TABLE pgtrickle.pgt_consumer_offsets (
    group_name        text NOT NULL REFERENCES pgtrickle.pgt_consumer_groups ON DELETE CASCADE,
    consumer_id       text NOT NULL,
    committed_offset  bigint NOT NULL DEFAULT 0,
    last_committed_at timestamptz,
    last_heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (group_name, consumer_id)
) WITH (fillfactor = 50);

-- What a consumer has taken and not yet committed: rows of one window after from_id up to to_id.
CREATE TABLE pgtrickle.pgt_consumer_leases (
    group_name    text NOT NULL,
    consumer_id   text NOT NULL,
    prev          pg_snapshot NOT NULL,
    cur           pg_snapshot NOT NULL,
    from_id       bigint NOT NULL,
    to_id         bigint NOT NULL,
    epoch         bigint NOT NULL,
    lease_expires timestamptz NOT NULL,
    PRIMARY KEY (group_name, consumer_id),
    FOREIGN KEY (group_name, consumer_id) REFERENCES pgtrickle.pgt_consumer_offsets ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Inboxes: tables of received messages, and the stream tables that show which of them wait.
CREATE TABLE pgtrickle.pgt_inbox_config (
    inbox_name          text PRIMARY KEY,
    inbox_schema        text NOT NULL,
    table_name          text NOT NULL,
    max_retries         int  NOT NULL CHECK (max_retries >= 0),
    schedule            text NOT NULL,
    with_dead_letter    boolean NOT NULL,
    with_stats          boolean NOT NULL,
    retention_hours     int  NOT NULL CHECK (retention_hours > 0),
    id_column           text NOT NULL DEFAULT 'event_id',
    processed_at_column text NOT NULL DEFAULT 'processed_at',
    retry_count_column  text NOT NULL DEFAULT 'retry_count',
    error_column        text DEFAULT 'error',
    received_at_column  text DEFAULT 'received_at',
    event_type_column   text DEFAULT 'event_type',
    is_managed          boolean NOT NULL DEFAULT true,
    -- In the order of a sequence within each aggregate, or by priority; not both.
    aggregate_id_col    text,
    sequence_num_col    text,
    priority_col        text,
    tiers               jsonb,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CHECK (aggregate_id_col IS NULL OR priority_col IS NULL)
);

-- What the relay carries: out of an outbox to a sink, or from a source into an inbox. Its place in an outbox is that of the
-- consumer group that it reads as.
CREATE TABLE pgtrickle.pgt_relay_pipelines (
    pipeline_name text PRIMARY KEY CHECK (pipeline_name ~ '^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$'),
    direction     text NOT NULL CHECK (direction IN ('forward', 'reverse')),
    outbox_name   text,
    group_name    text UNIQUE,
    inbox_name    text,
    enabled       boolean NOT NULL DEFAULT true,
    connector     jsonb NOT NULL CHECK (jsonb_typeof(connector -> 'type') = 'string'),
    options       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(options) = 'object'),
    created_at    timestamptz NOT NULL DEFAULT now(),
    changed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((direction = 'forward') = (outbox_name IS NOT NULL AND group_name IS NOT NULL)),
    CHECK ((direction = 'reverse') = (inbox_name IS NOT NULL))
);

-- What a destination refused for good, or no inbox could take, with all that is needed to try it again.
CREATE TABLE pgtrickle.pgt_relay_dead_letters (
    letter_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline_name text NOT NULL,
    event_id      text NOT NULL,
    key           text,
    payload       bytea NOT NULL,
    content_type  text NOT NULL,
    headers       jsonb NOT NULL DEFAULT '{}',
    -- What the message was before it was encoded; for one that came in, its type and where it came from.
    facts         jsonb NOT NULL DEFAULT '{}',
    kind          text NOT NULL,
    reason        text NOT NULL,
    attempts      int NOT NULL,
    failed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Somebody wants it to be tried again.
    retry_at      timestamptz,
    UNIQUE (pipeline_name, event_id)
);
CREATE INDEX pgt_relay_dead_letters_retry_idx ON pgtrickle.pgt_relay_dead_letters (pipeline_name, letter_id) WHERE retry_at IS NOT NULL;

-- How each pipeline fares, as told by the relay that carries it whenever that changes.
CREATE TABLE pgtrickle.pgt_relay_states (
    pipeline_name text PRIMARY KEY REFERENCES pgtrickle.pgt_relay_pipelines ON DELETE CASCADE,
    instance_id   text NOT NULL,
    state         text NOT NULL CHECK (state IN ('starting', 'running', 'held', 'failed', 'stopped')),
    reason        text,
    since         timestamptz NOT NULL DEFAULT clock_timestamp(),
    told_at       timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
