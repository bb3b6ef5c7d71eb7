-- Statements of the chassis; they run in the schema of the service that uses it.

-- name: ping
-- Proves that the server answers.
SELECT 1

-- name: append_to_outbox
-- Queue a message for the relay, in the transaction of the change it tells of.
INSERT INTO outbox (message_id, exchange, routing_key, subject, body)
VALUES ($1, $2, $3, $4, $5)

-- name: wake_relay
-- Wake the relay after commit; doubles within a transaction collapse into one.
SELECT pg_notify($1, '')

-- name: lock_relay
-- Become the one active relay of this schema for as long as the connection lives.
SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '.outbox', 0))

-- name: current_snapshot
-- The transactions that are visible now.
SELECT pg_current_snapshot()::text

-- name: outbox_cursor
-- The snapshot up to which everything was published.
SELECT snapshot::text FROM outbox_cursor

-- name: outbox_window
-- Messages that became visible between two snapshots, in the order of their ids. A reader by
-- `id > last` would lose those that commit late.
SELECT id, message_id, exchange, routing_key, body, created_at
  FROM outbox
 WHERE txid >= pg_snapshot_xmin($1::text::pg_snapshot)
   AND txid < pg_snapshot_xmax($2::text::pg_snapshot)
   AND pg_visible_in_snapshot(txid, $2::text::pg_snapshot)
   AND NOT pg_visible_in_snapshot(txid, $1::text::pg_snapshot)
   AND id > $3
 ORDER BY id
 LIMIT $4

-- name: advance_outbox_cursor
-- Remember that everything up to a snapshot is published, unless somebody else moved it.
UPDATE outbox_cursor SET snapshot = $2::text::pg_snapshot WHERE snapshot::text = $1

-- name: delete_old_outbox
-- Drop messages published more than a day ago, a batch at a time.
DELETE FROM outbox
 WHERE id IN (SELECT id FROM outbox
               WHERE created_at < now() - interval '1 day'
                 AND txid < pg_snapshot_xmin((SELECT snapshot FROM outbox_cursor))
               ORDER BY id LIMIT 1000)

-- name: outbox_depth
-- How many messages wait, and the age in seconds of the oldest.
SELECT count(*) AS depth,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_age_seconds
  FROM outbox
 WHERE txid >= pg_snapshot_xmin((SELECT snapshot FROM outbox_cursor))
   AND NOT pg_visible_in_snapshot(txid, (SELECT snapshot FROM outbox_cursor))

-- name: record_in_inbox
-- Remember that a consumer handles an event; nothing is inserted for a second delivery.
INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true

-- name: delete_old_inbox
-- Forget deliveries older than the longest retry and replay, a batch at a time.
DELETE FROM inbox
 WHERE (consumer, event_id) IN (SELECT consumer, event_id FROM inbox
                                 WHERE seen_at < now() - interval '14 days' LIMIT 1000)

-- name: park_dead_letter
-- Keep an event that could not be handled, with its cause, for an operator to see.
INSERT INTO dead_letters (event_id, consumer, event_type, attempts, cause, body)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (consumer, event_id) DO UPDATE
   SET attempts = excluded.attempts, cause = excluded.cause, parked_at = now()

-- name: count_dead_letters
-- How many events rest undelivered.
SELECT count(*) FROM dead_letters

-- name: insert_job
-- Queue a job unless one with the same unique key still waits or runs.
INSERT INTO jobs (id, queue, kind, payload, max_attempts, run_at, unique_key, traceparent)
VALUES ($1, $2, $3, $4, $5, now() + $6, $7, $8)
ON CONFLICT (queue, unique_key) WHERE state IN ('queued', 'running') DO NOTHING
RETURNING id

-- name: claim_jobs
-- Take the next due jobs of a queue under a lease. Those whose worker died are due again; after
-- the tenth death a job is given up by `fail_deadly_jobs` instead.
WITH due AS (
  SELECT id, state FROM jobs
   WHERE queue = $1 AND run_at <= now() AND deaths < 10 AND state IN ('queued', 'running')
     AND (state = 'queued' OR lease_until < now())
   ORDER BY priority, run_at
     FOR UPDATE SKIP LOCKED
   LIMIT $2)
UPDATE jobs
   SET state = 'running', worker = $3, lease_until = now() + $4, started_at = now(),
       attempts = attempts + (due.state = 'queued')::int,
       deaths = deaths + (due.state = 'running')::int
  FROM due
 WHERE jobs.id = due.id
RETURNING jobs.id, jobs.kind, jobs.payload, jobs.attempts, jobs.max_attempts, jobs.traceparent

-- name: renew_leases
-- Keep what this worker still holds; returns what it really holds.
UPDATE jobs SET lease_until = now() + $3
 WHERE worker = $1 AND state = 'running' AND id = ANY($2::uuid[])
RETURNING id

-- name: complete_job
-- The job is done, provided this worker still holds its lease.
UPDATE jobs SET state = 'completed', finished_at = now(), lease_until = NULL, worker = NULL
 WHERE id = $1 AND worker = $2 AND state = 'running'
RETURNING id

-- name: retry_job
-- The attempt failed; try again later.
UPDATE jobs
   SET state = 'queued', run_at = now() + $4, lease_until = NULL, worker = NULL,
       errors = errors || $3
 WHERE id = $1 AND worker = $2 AND state = 'running'

-- name: postpone_job
-- A part the job needs is down; try again soon, without using up an attempt.
UPDATE jobs
   SET state = 'queued', run_at = now() + $3, lease_until = NULL, worker = NULL,
       attempts = attempts - 1
 WHERE id = $1 AND worker = $2 AND state = 'running'

-- name: fail_job
-- The last attempt failed.
UPDATE jobs
   SET state = 'failed', finished_at = now(), lease_until = NULL, worker = NULL,
       errors = errors || $3
 WHERE id = $1 AND worker = $2 AND state = 'running'

-- name: give_back_jobs
-- A stopping worker returns what it has not finished; that is no failed attempt.
UPDATE jobs
   SET state = 'queued', lease_until = NULL, worker = NULL, attempts = attempts - 1
 WHERE worker = $1 AND state = 'running' AND id = ANY($2::uuid[])

-- name: fail_deadly_jobs
-- Give up on jobs that took ten workers with them.
UPDATE jobs
   SET state = 'failed', finished_at = now(), lease_until = NULL, worker = NULL,
       errors = errors || '[{"error": "ten workers died while they ran this job"}]'::jsonb
 WHERE queue = $1 AND state = 'running' AND lease_until < now() AND deaths >= 10
RETURNING id

-- name: prune_jobs
-- Keep the last 100 completed and 50 failed jobs of a queue.
DELETE FROM jobs
 WHERE id IN (SELECT id
                FROM (SELECT id, state,
                             row_number() OVER (PARTITION BY state ORDER BY finished_at DESC) AS age
                        FROM jobs
                       WHERE queue = $1 AND state IN ('completed', 'failed')) AS ended
               WHERE age > CASE state WHEN 'completed' THEN 100 ELSE 50 END
               LIMIT 1000)

-- name: job_depths
-- Jobs of a queue by state, and the seconds the oldest due one has waited.
SELECT state, count(*) AS depth,
       coalesce(extract(epoch FROM now() - min(run_at) FILTER (WHERE run_at <= now())), 0)::float8
         AS oldest_age_seconds
  FROM jobs WHERE queue = $1 AND state IN ('queued', 'running', 'failed') GROUP BY state

-- name: lock_migrations
-- One process migrates a schema at a time.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.migrations', 0))

-- name: create_migrations_table
-- What was applied, and what it was.
CREATE TABLE IF NOT EXISTS schema_migrations (
  name text PRIMARY KEY,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now())

-- name: applied_migrations
-- Names and checksums of what was applied.
SELECT name, checksum FROM schema_migrations

-- name: record_migration
-- Remember an applied migration.
INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)

-- name: limit_migration_locks
-- A migration that waits for a lock stands in everybody's way, so it rather fails.
SET LOCAL lock_timeout = '5s'
