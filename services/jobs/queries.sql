-- Statements of the jobs service, besides those of jobs, queues, schedules and webhooks.

-- name: claim_jobs
-- Take the next due jobs of a queue under a lease, in their order, with all that is known of them.
SELECT id, queue, kind, payload, state, priority, attempts, max_attempts, run_at, progress, result,
       errors, created_at, started_at, finished_at, lease_until
  FROM claim_jobs($1, $2, $3, $4)
 ORDER BY priority, run_at, id

-- name: find_claim
-- The claim that a caller holds on a job, whichever of its workers made it.
SELECT worker FROM jobs WHERE id = $1 AND state = 'running' AND starts_with(worker, $2)

-- name: lock_claimed_job
-- How many attempts a claimed job has behind it; nobody changes it until the transaction ends.
SELECT queue, attempts, max_attempts FROM jobs
 WHERE id = $1 AND state = 'running' AND worker = $2
   FOR UPDATE

-- name: read_queue_of_job
-- Which queue a job is in.
SELECT queue FROM jobs WHERE id = $1

-- name: put_event_type
-- Register an event type; a changed schema is a new version, also after a deletion.
INSERT INTO event_types AS known (name, schema, description) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE
   SET version = known.version + (known.schema <> excluded.schema)::integer,
       schema = excluded.schema, description = excluded.description,
       updated_at = now(), deleted_at = NULL
RETURNING name, version, schema, description, created_at, updated_at

-- name: find_event_type
-- An event type that can be emitted.
SELECT name, version, schema, description, created_at, updated_at
  FROM event_types WHERE name = $1 AND deleted_at IS NULL

-- name: list_event_types
-- Event types by name, after a name.
SELECT name, version, schema, description, created_at, updated_at
  FROM event_types
 WHERE name > $1 AND deleted_at IS NULL
 ORDER BY name LIMIT $2

-- name: delete_event_type
-- Let nobody emit an event type any more.
UPDATE event_types SET deleted_at = now(), updated_at = now()
 WHERE name = $1 AND deleted_at IS NULL
RETURNING name
