--- layers / raw_events
CREATE TABLE raw_events (
event_id BIGSERIAL PRIMARY KEY,
user_id INT NOT NULL,
event_type TEXT NOT NULL,
payload JSONB,
received_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
--- layers / events_cleaned
SELECT pgtrickle.create_stream_table(
'events_cleaned',
$$SELECT DISTINCT ON (event_id)
event_id,
user_id,
event_type,
(payload->>'amount')::numeric AS amount,
received_at
FROM raw_events
WHERE event_type IN ('purchase', 'refund', 'subscription')$$,
schedule => '5s',
refresh_mode => 'DIFFERENTIAL'
);
--- layers / user_purchase_summary
SELECT pgtrickle.create_stream_table(
'user_purchase_summary',
$$SELECT user_id,
COUNT(*) AS total_purchases,
SUM(amount) AS total_spent,
AVG(amount) AS avg_order
FROM events_cleaned
WHERE event_type = 'purchase'
GROUP BY user_id$$,
schedule => 'calculated',
refresh_mode => 'DIFFERENTIAL'
);
--- event sourcing / events
CREATE TABLE events (
event_id BIGSERIAL PRIMARY KEY,
aggregate_id UUID NOT NULL,
event_type TEXT NOT NULL,
payload JSONB NOT NULL,
created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
--- event sourcing / aggregate_state
SELECT pgtrickle.create_stream_table(
'aggregate_state',
$$SELECT DISTINCT ON (aggregate_id)
aggregate_id,
event_type AS last_event,
payload AS current_state,
created_at AS last_updated
FROM events
ORDER BY aggregate_id, created_at DESC$$,
schedule => '2s',
refresh_mode => 'DIFFERENTIAL'
);
--- event sourcing / hourly_event_counts
SELECT pgtrickle.create_stream_table(
'hourly_event_counts',
$$SELECT date_trunc('hour', created_at) AS hour,
event_type,
COUNT(*) AS event_count
FROM events
GROUP BY 1, 2$$,
schedule => '10s',
refresh_mode => 'DIFFERENTIAL'
);
--- dimensions / customers
CREATE TABLE customers (
customer_id INT PRIMARY KEY,
name TEXT NOT NULL,
email TEXT,
tier TEXT DEFAULT 'standard',
updated_at TIMESTAMPTZ DEFAULT now()
);
--- dimensions / customer_360
SELECT pgtrickle.create_stream_table(
'customer_360',
$$SELECT c.customer_id,
c.name,
c.email,
c.tier,
COUNT(o.id) AS total_orders,
COALESCE(SUM(o.amount), 0) AS lifetime_value
FROM customers c
LEFT JOIN orders o ON o.customer_id = c.customer_id
GROUP BY c.customer_id, c.name, c.email, c.tier$$,
schedule => '30s',
refresh_mode => 'DIFFERENTIAL'
);
--- dimensions / customer_history
CREATE TABLE customer_history (
customer_id INT NOT NULL,
name TEXT NOT NULL,
tier TEXT NOT NULL,
valid_from TIMESTAMPTZ NOT NULL,
valid_to TIMESTAMPTZ, -- NULL = current
PRIMARY KEY (customer_id, valid_from)
);
--- dimensions / customers_current
SELECT pgtrickle.create_stream_table(
'customers_current',
$$SELECT customer_id, name, tier, valid_from
FROM customer_history
WHERE valid_to IS NULL$$,
schedule => '10s',
refresh_mode => 'DIFFERENTIAL'
);
--- fan-out / orders
CREATE TABLE orders (
id SERIAL PRIMARY KEY,
customer_id INT NOT NULL,
region TEXT NOT NULL,
product_id INT NOT NULL,
amount NUMERIC(10,2) NOT NULL,
order_date DATE NOT NULL DEFAULT CURRENT_DATE
);
--- fan-out / daily_totals
SELECT pgtrickle.create_stream_table('daily_totals',
'SELECT order_date, SUM(amount) AS daily_total, COUNT(*) AS order_count
FROM orders GROUP BY order_date',
schedule => '5s', refresh_mode => 'DIFFERENTIAL');
--- fan-out / by_region
SELECT pgtrickle.create_stream_table('by_region',
'SELECT region, SUM(amount) AS total, COUNT(*) AS cnt
FROM orders GROUP BY region',
schedule => '5s', refresh_mode => 'DIFFERENTIAL');
--- fan-out / by_product
SELECT pgtrickle.create_stream_table('by_product',
'SELECT product_id, SUM(amount) AS total, COUNT(*) AS cnt
FROM orders GROUP BY product_id',
schedule => '5s', refresh_mode => 'DIFFERENTIAL');
--- fan-out / top_customers
SELECT pgtrickle.create_stream_table('top_customers',
'SELECT customer_id, SUM(amount) AS lifetime_value, COUNT(*) AS order_count
FROM orders GROUP BY customer_id',
schedule => '10s', refresh_mode => 'DIFFERENTIAL');
--- dashboards / order_monitor
SELECT pgtrickle.create_stream_table(
'order_monitor',
$$SELECT
date_trunc('minute', order_date) AS minute,
region,
COUNT(*) AS orders,
SUM(amount) AS revenue
FROM orders
WHERE order_date >= CURRENT_DATE
GROUP BY 1, 2$$,
schedule => '1s',
refresh_mode => 'DIFFERENTIAL'
);
--- dashboards / live_counter
SELECT pgtrickle.create_stream_table(
'live_counter',
$$SELECT region, COUNT(*) AS cnt, SUM(amount) AS total
FROM orders GROUP BY region$$,
schedule => 'IMMEDIATE',
refresh_mode => 'DIFFERENTIAL'
);
--- tiers / live_metrics
SELECT pgtrickle.create_stream_table('live_metrics', ...);
--- tiers / hot
SELECT pgtrickle.alter_stream_table('live_metrics', tier => 'hot');
--- tiers / hourly_report
SELECT pgtrickle.create_stream_table('hourly_report', ...,
schedule => '1m');
--- tiers / warm
SELECT pgtrickle.alter_stream_table('hourly_report', tier => 'warm');
--- tiers / daily_analytics
SELECT pgtrickle.create_stream_table('daily_analytics', ...,
schedule => '5m');
--- tiers / cold
SELECT pgtrickle.alter_stream_table('daily_analytics', tier => 'cold');
--- tiers / frozen
SELECT pgtrickle.alter_stream_table('audit_log_summary', tier => 'frozen');
--- guidelines / recommendations
SELECT pgt_name, recommended_mode, confidence, reason
FROM pgtrickle.recommend_refresh_mode();
--- guidelines / efficiency
SELECT pgt_name, refresh_mode, diff_speedup, avg_change_ratio
FROM pgtrickle.refresh_efficiency()
ORDER BY total_refreshes DESC;
--- guidelines / mode changes
SELECT pgt_name, current_mode, recommended_mode, reason
FROM pgtrickle.recommend_refresh_mode()
WHERE recommended_mode != 'KEEP';
--- guidelines / errors
SELECT pgt_name, status, last_error_message
FROM pgtrickle.stream_tables_info
WHERE status IN ('ERROR', 'SUSPENDED');
--- guidelines / definitions
SELECT pgtrickle.export_definition(pgt_schema || '.' || pgt_name)
FROM pgtrickle.pgt_stream_tables;
--- replica bootstrap / snapshot
SELECT pgtrickle.snapshot_stream_table(
'public.orders_agg',
'pgtrickle.orders_agg_replica_init'
);
--- replica bootstrap / dump
pg_dump -t 'pgtrickle.orders_agg_replica_init' mydb | psql replica_db
--- replica bootstrap / restore
SELECT pgtrickle.restore_from_snapshot(
'public.orders_agg',
'pgtrickle.orders_agg_replica_init'
);
--- replica bootstrap / drop
SELECT pgtrickle.drop_snapshot('pgtrickle.orders_agg_replica_init');
--- recovery / snapshot
SELECT pgtrickle.snapshot_stream_table(
pgt_schema || '.' || pgt_name,
'pgtrickle.pitr_snapshot_' || pgt_name || '_' || extract(epoch from now())::bigint
)
FROM pgtrickle.pgt_stream_tables
WHERE status = 'ACTIVE';
--- recovery / restore
SELECT pgtrickle.restore_from_snapshot(
pgt_schema || '.' || pgt_name,
'pgtrickle.pitr_snapshot_' || pgt_name || '_<epoch>'
)
FROM pgtrickle.pgt_stream_tables;
--- outbox / orders_agg
SELECT pgtrickle.create_stream_table(
'public.orders_agg',
'SELECT customer_id, SUM(amount) AS total, COUNT(*) AS cnt FROM orders GROUP BY customer_id',
schedule_seconds => 5
);
--- outbox / enable
SELECT pgtrickle.enable_outbox('public.orders_agg', retention_hours => 48);
--- outbox / analytics
SELECT pgtrickle.create_consumer_group('analytics', 'public.orders_agg', auto_offset_reset => 'latest');
--- outbox / notifications
SELECT pgtrickle.create_consumer_group('notifications', 'public.orders_agg', auto_offset_reset => 'latest');
--- outbox / consumer
DO $$
DECLARE
r RECORD;
last_id BIGINT := 0;
BEGIN
FOR r IN
SELECT * FROM pgtrickle.poll_outbox('analytics', 'worker-1', batch_size => 50)
LOOP
-- process r.payload (JSONB with inserted/deleted row arrays)
last_id := r.outbox_id;
END LOOP;
IF last_id > 0 THEN
PERFORM pgtrickle.commit_offset('analytics', 'worker-1', last_id);
END IF;
END;
$$;
--- outbox / lag
SELECT * FROM pgtrickle.consumer_lag('analytics');
--- inbox / create
SELECT pgtrickle.create_inbox(
'orders_inbox',
schema => 'pgtrickle',
max_retries => 3,
with_dead_letter => true,
with_stats => true,
schedule_seconds => 5
);
--- inbox / receive
INSERT INTO pgtrickle.orders_inbox (event_id, event_type, aggregate_id, payload)
VALUES (
gen_random_uuid()::text,
'order.placed',
'customer-123',
'{"order_id": 42, "amount": 99.50}'::jsonb
);
--- inbox / process
UPDATE pgtrickle.orders_inbox
SET processed_at = now()
WHERE event_id = '<event_id>'
AND processed_at IS NULL;
--- inbox / health
SELECT pgtrickle.inbox_health('orders_inbox');
--- inbox / replay
SELECT pgtrickle.replay_inbox_messages(
'orders_inbox',
ARRAY['event-id-1', 'event-id-2']
);
--- inbox / ordering
SELECT pgtrickle.enable_inbox_ordering(
'orders_inbox',
aggregate_id_col => 'aggregate_id',
seq_col => 'event_sequence'
);
--- inbox / next
SELECT * FROM pgtrickle.next_orders_inbox;
--- inbox / partition
SELECT * FROM pgtrickle.orders_inbox_pending
WHERE pgtrickle.inbox_is_my_partition(aggregate_id, 0, 4);
