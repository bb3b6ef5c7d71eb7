-- Statements of the chassis; they run in the schema of the service that uses it.

-- name: ping
-- Proves that the server answers.
SELECT 1

-- name: append_to_outbox
-- Queue messages for the relay in their order, in the transaction of the change they tell of, and
-- wake it after the commit; doubles of a call within a transaction collapse into one.
WITH appended AS (
  INSERT INTO outbox (message_id, exchange, routing_key, subject, body)
  SELECT message_id, $2, routing_key, subject, body
  FROM unnest($3::uuid[], $4::text[], $5::text[], $6::jsonb[])
    WITH ORDINALITY AS message (message_id, routing_key, subject, body, position)
  ORDER BY position
)
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
INSERT INTO dead_letters (id, event_id, consumer, event_type, attempts, cause, body, raw)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (consumer, event_id) DO UPDATE
   SET attempts = excluded.attempts, cause = excluded.cause, parked_at = now()

-- name: dead_letters_of_consumer
-- How many events rest for a consumer, and the oldest one's type and cause.
SELECT count(*) AS resting,
       (array_agg(event_type ORDER BY id))[1] AS oldest_type,
       (array_agg(cause ORDER BY id))[1] AS oldest_cause
  FROM (SELECT id, event_type, cause FROM dead_letters WHERE consumer = $1
         ORDER BY id LIMIT 10000) AS counted

-- name: list_dead_letters
-- Events that rest, the newest first.
SELECT id, event_id, consumer, event_type, attempts, cause, body, raw, parked_at
  FROM dead_letters
 WHERE ($1::text IS NULL OR consumer = $1)
   AND ($2::text IS NULL OR event_type = $2)
   AND ($3::uuid IS NULL OR id < $3)
 ORDER BY id DESC LIMIT $4

-- name: find_dead_letter
-- One event that rests.
SELECT id, event_id, consumer, event_type, attempts, cause, body, raw, parked_at
  FROM dead_letters WHERE id = $1

-- name: take_dead_letter
-- Take one event out, to be sent again.
DELETE FROM dead_letters WHERE id = $1 RETURNING id, event_id, consumer, body

-- name: take_dead_letters
-- Take the oldest readable events of a consumer out, of one type or of any, to be sent again.
DELETE FROM dead_letters
 WHERE id = ANY (ARRAY(SELECT id FROM dead_letters
                        WHERE consumer = $1 AND body IS NOT NULL
                          AND ($3::text IS NULL OR event_type = $3)
                        ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING id, event_id, body

-- name: discard_dead_letter
-- Drop one event that rests.
DELETE FROM dead_letters WHERE id = $1 RETURNING id

-- name: discard_dead_letters
-- Drop the oldest events that rest for a consumer, of one type or of any, a batch at a time.
DELETE FROM dead_letters
 WHERE id = ANY (ARRAY(SELECT id FROM dead_letters
                        WHERE consumer = $1 AND ($2::text IS NULL OR event_type = $2)
                        ORDER BY id LIMIT 1000))
RETURNING id

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
