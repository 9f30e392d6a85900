-- Something to do for every part: orders that a job places, a stream table over them, an outbox, a pipeline to the relay's
-- own output, and a tenant. Run each time the services start, and done once.
SELECT to_regclass('orders') IS NULL AS is_new \gset
\if :is_new
BEGIN;
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int NOT NULL, amount numeric NOT NULL);

SELECT pgtrickle.create_stream_table(
    'order_totals',
    'SELECT customer_id, sum(amount) AS total, count(*) AS orders FROM orders GROUP BY customer_id',
    schedule => '1s');
SELECT pgtrickle.enable_outbox('order_totals');
SELECT pgtrickle.set_relay_outbox('order-totals', 'order_totals', sink => '{"type": "stdout"}');

SELECT pgtrickle.create_job_schema('jobs_acme');
INSERT INTO pgtrickle.tenants (tenant_id, schema_name) VALUES ('acme', 'jobs_acme');
SELECT jobs_acme.schedule_job('orders', '*/5 * * * * *', 'place_order', '{"tenantId": "acme"}');
COMMIT;
\endif
