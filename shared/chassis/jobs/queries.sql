-- Statements about jobs; they run in the schema of the service that owns them. Only a running job
-- has a worker, so "worker = $2" says that it runs, and leaves nothing to search but the job's id.

-- name: insert_jobs
-- Queue jobs of one kind; those of the future wait apart until their time has come.
INSERT INTO jobs (id, queue, kind, payload, priority, max_attempts, run_at, state, traceparent)
SELECT id, $2, $3, payload::jsonb, $5, $6, coalesce($7, now() + $8),
       CASE WHEN coalesce($7, now() + $8) > now() THEN 'scheduled' ELSE 'queued' END, $9
  FROM unnest($1::uuid[], $4::text[]) AS given (id, payload)

-- name: lock_unique_key
-- Let one transaction at a time look whether a key is taken. It is a statement of its own: the
-- next one must see what the transaction before it committed.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.jobs/' || $1 || '/' || $2, 0))

-- name: insert_unique_job
-- Queue a job unless one with its key waits, runs, or was queued within its period; return the
-- id of the one that holds the key, and whether it is this one.
WITH holder AS (
  SELECT id FROM jobs
   WHERE queue = $2 AND unique_key = $10
     AND state IN ('scheduled', 'queued', 'running')
  UNION ALL
  SELECT id FROM jobs
   WHERE queue = $2 AND unique_key = $10 AND unique_until IS NOT NULL AND unique_until > now()
   LIMIT 1),
inserted AS (
  INSERT INTO jobs (id, queue, kind, payload, priority, max_attempts, run_at, state,
                    traceparent, unique_key, unique_until, schedule)
  SELECT $1, $2, $3, coalesce($4, 'null'::jsonb), $5, $6, coalesce($7, now() + $8),
         CASE WHEN coalesce($7, now() + $8) > now() THEN 'scheduled' ELSE 'queued' END,
         $9, $10, now() + $11, $12
   WHERE NOT EXISTS (SELECT FROM holder)
  RETURNING id)
SELECT id, true AS inserted FROM inserted
UNION ALL
SELECT id, false FROM holder
 LIMIT 1

-- name: claim_jobs
-- Take the next due jobs of a queue under a lease, in their order.
SELECT id, queue, kind, payload, priority, attempts, max_attempts, run_at, started_at,
       lease_until, traceparent, created_at
  FROM claim_jobs($1, $2, $3, $4)
 ORDER BY priority, run_at, id

-- name: advance_queue
-- Move the jobs whose time has come to the queued ones, and give those whose worker is dead back.
-- A lease that ends later than it could was written before the clock was set back. When the
-- clock is not where the caller expects it, no lease is judged: their holders renew them first.
WITH clock AS (
  SELECT clock_timestamp() AS now,
         $2::timestamptz IS NOT NULL
           AND abs(extract(epoch FROM clock_timestamp() - $2)) < $3::float8 AS is_steady),
due AS (
  UPDATE jobs SET state = 'queued'
   WHERE id = ANY (ARRAY(
           SELECT id FROM jobs
            WHERE queue = $1 AND state = 'scheduled' AND run_at <= statement_timestamp()
            ORDER BY run_at LIMIT 1000
              FOR UPDATE SKIP LOCKED))
  RETURNING 1),
dead AS (
  UPDATE jobs
     SET state = 'queued', worker = NULL, lease_until = NULL,
         attempts = attempts - 1, deaths = deaths + 1
   WHERE (SELECT is_steady FROM clock)
     AND id = ANY (ARRAY(
           SELECT id FROM jobs
            WHERE queue = $1 AND state = 'running' AND deaths < 9
              AND (lease_until < clock_timestamp() OR lease_until > clock_timestamp() + 2 * lease)
            LIMIT 100
              FOR UPDATE SKIP LOCKED))
  RETURNING 1)
SELECT (SELECT now FROM clock) AS now,
       (SELECT count(*) FROM due) AS due,
       (SELECT count(*) FROM dead) AS rescued,
       (SELECT extract(epoch FROM min(run_at) - clock_timestamp())::float8 FROM jobs
         WHERE queue = $1 AND state = 'scheduled' AND run_at > statement_timestamp())
         AS next_due_seconds

-- name: queues_to_advance
-- Queues with jobs whose time has come or whose worker is dead. The index is read once a queue,
-- not once a job.
WITH RECURSIVE scheduled AS (
  (SELECT queue, run_at FROM jobs WHERE state = 'scheduled' ORDER BY queue, run_at LIMIT 1)
  UNION ALL
  SELECT following.queue, following.run_at
    FROM scheduled,
         LATERAL (SELECT queue, run_at FROM jobs
                   WHERE state = 'scheduled' AND queue > scheduled.queue
                   ORDER BY queue, run_at LIMIT 1) AS following)
SELECT queue FROM scheduled WHERE run_at <= clock_timestamp()
UNION
SELECT queue FROM jobs
 WHERE state = 'running'
   AND (lease_until < clock_timestamp() OR lease_until > clock_timestamp() + 2 * lease)

-- name: queues_with_ended_jobs
-- Queues that may have more ended jobs than they keep.
WITH RECURSIVE ended AS (
  (SELECT queue FROM jobs WHERE state IN ('completed', 'failed', 'cancelled')
    ORDER BY queue LIMIT 1)
  UNION ALL
  SELECT (SELECT jobs.queue FROM jobs
           WHERE state IN ('completed', 'failed', 'cancelled') AND jobs.queue > ended.queue
           ORDER BY jobs.queue LIMIT 1)
    FROM ended WHERE ended.queue IS NOT NULL)
SELECT queue FROM ended WHERE queue IS NOT NULL

-- name: renew_leases
-- Keep what this worker still holds; returns what it really holds.
UPDATE jobs SET lease_until = clock_timestamp() + lease
 WHERE worker = $1 AND id = ANY ($2::uuid[])
RETURNING id

-- name: renew_lease
-- Keep one job for as long as it is asked for, and remember how far it got.
UPDATE jobs
   SET lease = coalesce($3, lease), lease_until = clock_timestamp() + coalesce($3, lease),
       progress = coalesce($4, progress)
 WHERE id = $1 AND worker = $2
RETURNING lease_until

-- name: report_progress
-- How far a job got, provided this worker still holds it.
UPDATE jobs SET progress = $3 WHERE id = $1 AND worker = $2 RETURNING id

-- name: complete_jobs
-- The jobs are done, provided this worker still holds their leases.
UPDATE jobs
   SET state = 'completed', finished_at = clock_timestamp(), lease_until = NULL, worker = NULL,
       result = $3
 WHERE id = ANY ($1::uuid[]) AND worker = $2
RETURNING id

-- name: retry_job
-- The attempt failed; try again later.
UPDATE jobs
   SET state = 'scheduled', run_at = clock_timestamp() + $4, lease_until = NULL, worker = NULL,
       errors = errors || $3
 WHERE id = $1 AND worker = $2
RETURNING id

-- name: postpone_job
-- A part the job needs is down; try again soon, without using up an attempt.
UPDATE jobs
   SET state = 'scheduled', run_at = clock_timestamp() + $3, lease_until = NULL, worker = NULL,
       attempts = attempts - 1
 WHERE id = $1 AND worker = $2

-- name: fail_job
-- The last attempt failed.
UPDATE jobs
   SET state = 'failed', finished_at = clock_timestamp(), lease_until = NULL, worker = NULL,
       errors = errors || $3
 WHERE id = $1 AND worker = $2
RETURNING id, queue, kind, attempts

-- name: give_back_jobs
-- A stopping worker returns what it has not finished; that is no failed attempt.
UPDATE jobs
   SET state = 'queued', lease_until = NULL, worker = NULL, attempts = attempts - 1
 WHERE worker = $1 AND id = ANY ($2::uuid[])

-- name: fail_deadly_jobs
-- Give up on jobs that are about to have taken ten workers with them.
UPDATE jobs
   SET state = 'failed', finished_at = clock_timestamp(), lease_until = NULL, worker = NULL,
       deaths = deaths + 1, errors = errors || $2
 WHERE id = ANY (ARRAY(
         SELECT id FROM jobs
          WHERE queue = $1 AND state = 'running' AND deaths >= 9 AND lease_until < clock_timestamp()
            FOR UPDATE SKIP LOCKED))
RETURNING id, queue, kind, attempts

-- name: prune_jobs
-- Drop ended jobs beyond what the queue keeps of each state, a batch at a time; one whose key
-- still holds stays. Cancelled ones are kept as failed ones are. The boundaries are looked up once:
-- with statistics of an empty table the planner would rather do so once a job. The states are
-- spelled out once more for the index of ended jobs, which serves no others.
WITH boundaries AS MATERIALIZED (
  SELECT state,
         (SELECT finished_at FROM jobs
           WHERE queue = $1 AND jobs.state = kept.state
             AND jobs.state IN ('completed', 'failed', 'cancelled')
           ORDER BY finished_at DESC OFFSET kept.count LIMIT 1) AS newest_dropped
    FROM (VALUES
           ('completed',
            coalesce((SELECT keep_completed FROM job_queues WHERE name = $1), 100)),
           ('failed', coalesce((SELECT keep_failed FROM job_queues WHERE name = $1), 50)),
           ('cancelled', coalesce((SELECT keep_failed FROM job_queues WHERE name = $1), 50))
         ) AS kept (state, count))
DELETE FROM jobs
 WHERE id = ANY (ARRAY(
         SELECT jobs.id
           FROM boundaries JOIN jobs ON jobs.queue = $1 AND jobs.state = boundaries.state
                                    AND jobs.state IN ('completed', 'failed', 'cancelled')
                                    AND jobs.finished_at <= boundaries.newest_dropped
          WHERE jobs.unique_until IS NULL OR jobs.unique_until <= now()
          LIMIT 5000))

-- name: queue_depths
-- Jobs of a queue by state, the seconds the oldest due one has waited, and why one failed last.
-- What ended is few; what waits for its time may be millions, so counting stops at a hundred
-- thousand.
SELECT (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE queue = $1 AND state = 'queued'
                              LIMIT 100000) AS counted) AS queued,
       (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE queue = $1 AND state = 'scheduled'
                              LIMIT 100000) AS counted) AS scheduled,
       (SELECT count(*) FROM jobs WHERE queue = $1 AND state = 'running') AS running,
       (SELECT count(*) FROM jobs WHERE queue = $1 AND state = 'failed') AS failed,
       (SELECT errors -> -1 ->> 'error' FROM jobs WHERE queue = $1 AND state = 'failed'
         ORDER BY finished_at DESC LIMIT 1) AS last_cause,
       greatest(coalesce(extract(epoch FROM clock_timestamp() - oldest_queued_job($1)), 0), 0)::float8
         AS oldest_age_seconds

-- name: jobs_changed_since_analyze
-- How many rows changed since the planner last looked at the table.
SELECT n_mod_since_analyze AS changed, n_live_tup AS live
  FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = 'jobs'

-- name: analyze_jobs
-- Let the planner look now: it must not plan a full table by the memory of an empty one.
ANALYZE jobs
