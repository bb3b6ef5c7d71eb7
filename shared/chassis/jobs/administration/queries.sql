-- Statements by which people look at jobs and steer queues.

-- name: list_jobs
-- The newest jobs, of any queue, in one state or in any; before an id, if one is given. Each state
-- has an index of its own, and only the branch that is asked for is run.
SELECT id, queue, kind, state, priority, attempts, max_attempts, run_at, created_at, started_at,
       finished_at, left(errors -> -1 ->> 'error', 200) AS last_error
  FROM (
    (SELECT * FROM jobs
      WHERE $1::text IS NULL AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3)
    UNION ALL
    (SELECT * FROM jobs
      WHERE $1 = 'scheduled' AND state = 'scheduled' AND ($2 IS NULL OR id < $2)
      ORDER BY id DESC LIMIT $3)
    UNION ALL
    (SELECT * FROM jobs
      WHERE $1 = 'queued' AND state = 'queued' AND ($2 IS NULL OR id < $2)
      ORDER BY id DESC LIMIT $3)
    UNION ALL
    (SELECT * FROM jobs
      WHERE $1 = 'running' AND state = 'running' AND ($2 IS NULL OR id < $2)
      ORDER BY id DESC LIMIT $3)
    UNION ALL
    (SELECT * FROM jobs
      WHERE $1 IN ('completed', 'failed', 'cancelled')
        AND state IN ('completed', 'failed', 'cancelled') AND state = $1
        AND ($2 IS NULL OR id < $2)
      ORDER BY id DESC LIMIT $3)) AS found
 ORDER BY id DESC
 LIMIT $3

-- name: list_jobs_of_queue
-- The newest jobs of a queue, in one state or in any; before an id, if one is given.
SELECT id, queue, kind, state, priority, attempts, max_attempts, run_at, created_at, started_at,
       finished_at, left(errors -> -1 ->> 'error', 200) AS last_error
  FROM (
    (SELECT * FROM jobs
      WHERE queue = $1 AND state = 'scheduled' AND ($2::text IS NULL OR $2 = 'scheduled')
        AND ($3::uuid IS NULL OR id < $3)
      ORDER BY id DESC LIMIT $4)
    UNION ALL
    (SELECT * FROM jobs
      WHERE queue = $1 AND state = 'queued' AND ($2 IS NULL OR $2 = 'queued')
        AND ($3 IS NULL OR id < $3)
      ORDER BY id DESC LIMIT $4)
    UNION ALL
    (SELECT * FROM jobs
      WHERE queue = $1 AND state = 'running' AND ($2 IS NULL OR $2 = 'running')
        AND ($3 IS NULL OR id < $3)
      ORDER BY id DESC LIMIT $4)
    UNION ALL
    (SELECT * FROM jobs
      WHERE queue = $1 AND state IN ('completed', 'failed', 'cancelled')
        AND ($2 IS NULL OR state = $2)
        AND ($3 IS NULL OR id < $3)
      ORDER BY id DESC LIMIT $4)) AS found
 ORDER BY id DESC
 LIMIT $4

-- name: read_job
-- All that is known of a job.
SELECT id, queue, kind, payload, state, priority, attempts, max_attempts, run_at, progress, result,
       errors, created_at, started_at, finished_at
  FROM jobs WHERE id = $1

-- name: lock_job
-- A job's state and unique key; nobody changes them until the transaction ends.
SELECT queue, state, unique_key FROM jobs WHERE id = $1 FOR UPDATE

-- name: read_unique_key
-- Which key a job has; it never changes.
SELECT queue, unique_key FROM jobs WHERE id = $1

-- name: unique_key_holder
-- The job that holds a key now.
SELECT id FROM jobs
 WHERE queue = $1 AND unique_key = $2 AND state IN ('scheduled', 'queued', 'running')

-- name: retry_ended_job
-- Queue an ended job again with all its attempts; why it failed before stays.
UPDATE jobs
   SET state = 'queued', run_at = statement_timestamp(), attempts = 0, deaths = 0,
       started_at = NULL, finished_at = NULL, progress = NULL, result = NULL
 WHERE id = $1 AND state IN ('completed', 'failed', 'cancelled')

-- name: retry_failed_jobs
-- Queue a batch of a queue's failed jobs without a key again, of those that failed until now.
UPDATE jobs
   SET state = 'queued', run_at = statement_timestamp(), attempts = 0, deaths = 0,
       started_at = NULL, finished_at = NULL, progress = NULL, result = NULL
 WHERE id = ANY (ARRAY(
         SELECT id FROM jobs
          WHERE queue = $1 AND state = 'failed' AND finished_at <= $2 AND unique_key IS NULL
          ORDER BY finished_at LIMIT $3
            FOR UPDATE SKIP LOCKED))

-- name: failed_jobs_with_keys
-- A batch of a queue's failed jobs that have a key, of those that failed until now.
SELECT id FROM jobs
 WHERE queue = $1 AND state = 'failed' AND finished_at <= $2 AND unique_key IS NOT NULL
   AND ($3::uuid IS NULL OR id > $3)
 ORDER BY id LIMIT $4

-- name: current_instant
-- What the database's clock says.
SELECT clock_timestamp()

-- name: run_job_now
-- A job that waits for its time need not any longer.
UPDATE jobs SET state = 'queued', run_at = statement_timestamp()
 WHERE id = $1 AND state = 'scheduled'

-- name: cancel_job
-- A job is not to be done; a worker that has it finds its lease lost.
UPDATE jobs
   SET state = 'cancelled', finished_at = clock_timestamp(), worker = NULL, lease_until = NULL
 WHERE id = $1 AND state IN ('scheduled', 'queued', 'running')

-- name: delete_job
-- Forget a job, whatever its state; a worker that has it finds its lease lost.
DELETE FROM jobs WHERE id = $1

-- name: list_queues
-- Queues that have jobs or settings, by name, after a name if one is given. Indexes are read once
-- a queue, not once a job, and counting stops at $3.
WITH RECURSIVE names AS (
  SELECT $1::text AS name, 0 AS position
  UNION ALL
  SELECT least(
           (SELECT min(queue) FROM jobs WHERE state = 'scheduled' AND queue > names.name),
           (SELECT min(queue) FROM jobs WHERE state = 'queued' AND queue > names.name),
           (SELECT min(queue) FROM jobs WHERE state = 'running' AND queue > names.name),
           (SELECT min(queue) FROM jobs
             WHERE state IN ('completed', 'failed', 'cancelled') AND queue > names.name),
           (SELECT min(job_queues.name) FROM job_queues WHERE job_queues.name > names.name)),
         position + 1
    FROM names
   WHERE names.name IS NOT NULL AND position < $2)
SELECT names.name, (queue_figures(names.name, $3)).*
  FROM names WHERE position > 0 AND names.name IS NOT NULL
 ORDER BY names.name
