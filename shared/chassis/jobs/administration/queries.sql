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

-- name: list_queue_names
-- Queues that have jobs or settings, after a name. Each index is read once a queue, not once a job.
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
SELECT name FROM names WHERE position > 0 AND name IS NOT NULL ORDER BY position

-- name: read_queues
-- Queues with their settings and their jobs by state. Counting stops at $2; the orders make the
-- planner count in the indexes, whatever it believes of the table.
SELECT given.name,
       coalesce(settings.paused, false) AS paused,
       settings.concurrency,
       settings.rate_limit,
       coalesce(extract(epoch FROM settings.rate_period), 1)::float8 AS rate_period_seconds,
       coalesce(settings.keep_completed, 100) AS keep_completed,
       coalesce(settings.keep_failed, 50) AS keep_failed,
       (SELECT count(*) FROM (
          SELECT 1 FROM jobs WHERE queue = given.name AND state = 'scheduled'
           ORDER BY run_at LIMIT $2) AS counted) AS scheduled,
       (SELECT count(*) FROM (
          SELECT 1 FROM jobs WHERE queue = given.name AND state = 'queued'
           ORDER BY priority, run_at, id LIMIT $2) AS counted) AS queued,
       (SELECT count(*) FROM (
          SELECT 1 FROM jobs WHERE queue = given.name AND state = 'running'
           ORDER BY lease_until LIMIT $2) AS counted) AS running,
       (SELECT count(*) FROM (
          SELECT 1 FROM jobs
           WHERE queue = given.name AND state = 'completed'
           ORDER BY finished_at LIMIT $2) AS counted) AS completed,
       (SELECT count(*) FROM (
          SELECT 1 FROM jobs
           WHERE queue = given.name AND state = 'failed'
           ORDER BY finished_at LIMIT $2) AS counted) AS failed,
       (SELECT count(*) FROM (
          SELECT 1 FROM jobs
           WHERE queue = given.name AND state = 'cancelled'
           ORDER BY finished_at LIMIT $2) AS counted) AS cancelled,
       greatest(coalesce(
         extract(epoch FROM clock_timestamp() - oldest_queued_job(given.name)), 0), 0)::float8
         AS oldest_age_seconds
  FROM unnest($1::text[]) AS given (name)
  LEFT JOIN job_queues AS settings ON settings.name = given.name
 ORDER BY given.name

-- name: pause_or_resume_queue
-- Let the jobs of a queue start, or not.
INSERT INTO job_queues (name, paused) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET paused = excluded.paused, updated_at = now()

-- name: ensure_queue
-- Give a queue a row of settings, with the defaults.
INSERT INTO job_queues (name) VALUES ($1) ON CONFLICT (name) DO NOTHING

-- name: lock_queue_settings
-- A queue's settings; nobody changes them until the transaction ends.
SELECT concurrency, rate_limit, extract(epoch FROM rate_period)::float8 AS rate_period_seconds,
       keep_completed, keep_failed
  FROM job_queues WHERE name = $1 FOR UPDATE

-- name: write_queue_settings
-- Change a queue's settings; the next claim sees them.
UPDATE job_queues
   SET concurrency = $2, rate_limit = $3, rate_period = $4, keep_completed = $5, keep_failed = $6,
       updated_at = now()
 WHERE name = $1
