-- Statements about webhooks. An endpoint that is deleted stays until its log is pruned.

-- name: insert_endpoint
-- Add an endpoint.
INSERT INTO webhook_endpoints (id, url, event_types, description, secret)
VALUES ($1, $2, $3, $4, $5)
RETURNING *

-- name: find_endpoint
-- One endpoint.
SELECT * FROM webhook_endpoints WHERE id = $1 AND deleted_at IS NULL

-- name: list_endpoints
-- A page of endpoints, newest first.
SELECT * FROM webhook_endpoints
 WHERE deleted_at IS NULL AND ($1::uuid IS NULL OR id < $1)
 ORDER BY id DESC
 LIMIT $2

-- name: update_endpoint
-- Change what is given. Enabled again, or with another address, an endpoint starts afresh.
UPDATE webhook_endpoints
   SET url = coalesce($2, url),
       event_types = coalesce($3, event_types),
       description = CASE WHEN $4 THEN $5 ELSE description END,
       enabled = coalesce($6, enabled),
       disabled_reason = CASE WHEN coalesce($6, enabled) THEN NULL
                              WHEN enabled THEN $7
                              ELSE disabled_reason END,
       failing_since = CASE WHEN $6 OR $2 IS NOT NULL THEN NULL ELSE failing_since END,
       updated_at = now()
 WHERE id = $1 AND deleted_at IS NULL
RETURNING *

-- name: rotate_secret
-- Put a new secret in the old one's place; the old one signs too for a while.
UPDATE webhook_endpoints
   SET previous_secret = secret, previous_secret_until = now() + $3, secret = $2,
       updated_at = now()
 WHERE id = $1 AND deleted_at IS NULL
RETURNING *

-- name: delete_endpoint
-- Take an endpoint out of use, with its secrets.
UPDATE webhook_endpoints
   SET deleted_at = now(), enabled = false, secret = '', previous_secret = NULL,
       previous_secret_until = NULL
 WHERE id = $1 AND deleted_at IS NULL
RETURNING id

-- name: matching_endpoints
-- Whom an event concerns, by the patterns that its type meets.
SELECT id FROM webhook_endpoints
 WHERE enabled AND deleted_at IS NULL AND event_types && $1::text[]
 ORDER BY id

-- name: insert_message
-- Keep the bytes of an event.
INSERT INTO webhook_messages (id, type, body) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING

-- name: insert_deliveries
-- One delivery for each endpoint; those that an earlier delivery of the event made stay as they are.
INSERT INTO webhook_deliveries (id, endpoint_id, message_id)
SELECT given.id, given.endpoint_id, $3
  FROM unnest($1::uuid[], $2::uuid[]) AS given (id, endpoint_id)
ON CONFLICT ON CONSTRAINT webhook_deliveries_message_id_endpoint_id DO NOTHING
RETURNING id

-- name: find_due_delivery
-- What an attempt needs, if the delivery still waits in this round. An old secret is left out
-- once its time is over.
SELECT deliveries.id, deliveries.endpoint_id, deliveries.round, messages.body,
       endpoints.url, endpoints.enabled, endpoints.secret,
       CASE WHEN endpoints.previous_secret_until > now() THEN endpoints.previous_secret END
         AS previous_secret
  FROM webhook_deliveries AS deliveries
  JOIN webhook_endpoints AS endpoints ON endpoints.id = deliveries.endpoint_id
  JOIN webhook_messages AS messages ON messages.id = deliveries.message_id
 WHERE deliveries.id = $1 AND deliveries.round = $2 AND deliveries.state = 'pending'

-- name: lock_delivery
-- How far a delivery is; nobody else changes it until this transaction ends.
SELECT state, round, attempts, failures FROM webhook_deliveries WHERE id = $1 FOR UPDATE

-- name: insert_attempt
-- Note what became of an attempt.
INSERT INTO webhook_attempts (delivery_id, number, at, duration_ms, status, answer, error)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: continue_delivery
-- The attempt failed and another one follows.
UPDATE webhook_deliveries
   SET attempts = $2, failures = $3, next_attempt_at = now() + $4
 WHERE id = $1

-- name: count_attempt
-- An attempt failed that belonged to a round before.
UPDATE webhook_deliveries SET attempts = $2 WHERE id = $1

-- name: end_delivery
-- Nothing more is sent, unless a person wants it.
UPDATE webhook_deliveries
   SET state = $2, attempts = $3, next_attempt_at = NULL, ended_at = now()
 WHERE id = $1

-- name: begin_round
-- Try a delivery anew; what still waited in the round before does nothing any more.
UPDATE webhook_deliveries
   SET state = 'pending', round = round + 1, failures = 0, next_attempt_at = now(),
       ended_at = NULL
 WHERE id = $1 AND endpoint_id = $2
RETURNING round

-- name: delivery_of_job
-- The delivery that a job was about, if it still waits in the job's round.
SELECT deliveries.id
  FROM jobs
  JOIN webhook_deliveries AS deliveries ON deliveries.id = (jobs.payload ->> 'delivery_id')::uuid
 WHERE jobs.id = $1 AND deliveries.state = 'pending'
   AND deliveries.round = (jobs.payload ->> 'round')::integer

-- name: clear_failing
-- An endpoint took a message.
UPDATE webhook_endpoints SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL

-- name: note_failing
-- An endpoint did not take a message; remember since when.
UPDATE webhook_endpoints SET failing_since = now() WHERE id = $1 AND failing_since IS NULL

-- name: disable_failing
-- Send nothing more to an endpoint that asked for it, or that has failed for too long.
UPDATE webhook_endpoints
   SET enabled = false, disabled_reason = $2, updated_at = now()
 WHERE id = $1 AND enabled AND deleted_at IS NULL
   AND ($3::interval IS NULL OR failing_since <= now() - $3)
RETURNING id

-- name: list_deliveries
-- A page of an endpoint's log, newest first.
SELECT deliveries.id, deliveries.state, deliveries.next_attempt_at, deliveries.created_at,
       deliveries.ended_at, messages.id AS event_id, messages.type AS event_type
  FROM webhook_deliveries AS deliveries
  JOIN webhook_messages AS messages ON messages.id = deliveries.message_id
 WHERE deliveries.endpoint_id = $1 AND ($2::uuid IS NULL OR deliveries.id < $2)
 ORDER BY deliveries.id DESC
 LIMIT $3

-- name: find_delivery
-- One delivery to an endpoint.
SELECT deliveries.id, deliveries.state, deliveries.next_attempt_at, deliveries.created_at,
       deliveries.ended_at, messages.id AS event_id, messages.type AS event_type
  FROM webhook_deliveries AS deliveries
  JOIN webhook_messages AS messages ON messages.id = deliveries.message_id
 WHERE deliveries.endpoint_id = $1 AND deliveries.id = $2

-- name: list_attempts
-- The attempts of these deliveries in their order.
SELECT delivery_id, number, at, duration_ms, status, answer, error
  FROM webhook_attempts
 WHERE delivery_id = ANY ($1::uuid[])
 ORDER BY delivery_id, number

-- name: prune_deliveries
-- Drop old entries of the log and those of deleted endpoints, a batch at a time.
DELETE FROM webhook_deliveries
 WHERE id = ANY (ARRAY(
         (SELECT id FROM webhook_deliveries
           WHERE ended_at < now() - $1::interval
           ORDER BY ended_at LIMIT $2
             FOR UPDATE SKIP LOCKED)))
    OR id = ANY (ARRAY(
         SELECT deliveries.id
           FROM webhook_endpoints AS endpoints
           JOIN webhook_deliveries AS deliveries ON deliveries.endpoint_id = endpoints.id
          WHERE endpoints.deleted_at IS NOT NULL
          LIMIT $2
            FOR UPDATE OF deliveries SKIP LOCKED))

-- name: prune_messages
-- Drop bytes that no delivery needs any more; none is retried for as long as two days.
DELETE FROM webhook_messages
 WHERE id = ANY (ARRAY(
         SELECT id FROM webhook_messages AS messages
          WHERE created_at < now() - $1::interval - interval '2 days'
            AND NOT EXISTS (SELECT FROM webhook_deliveries WHERE message_id = messages.id)
          ORDER BY created_at LIMIT $2
            FOR UPDATE SKIP LOCKED))

-- name: prune_endpoints
-- Drop deleted endpoints whose log is gone, and forget secrets whose time is over.
WITH forgotten AS (
  UPDATE webhook_endpoints SET previous_secret = NULL, previous_secret_until = NULL
   WHERE previous_secret_until < now() AND deleted_at IS NULL)
DELETE FROM webhook_endpoints AS endpoints
 WHERE deleted_at IS NOT NULL
   AND NOT EXISTS (SELECT FROM webhook_deliveries WHERE endpoint_id = endpoints.id)
