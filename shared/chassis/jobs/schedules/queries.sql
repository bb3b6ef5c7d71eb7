-- Statements about schedules; every instant comes from the database's clock.

-- name: current_instant
-- What the database's clock says.
SELECT clock_timestamp()

-- name: lock_schedules
-- Let one process at a time compare what is declared with what is stored.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.job_schedules', 0))

-- name: declare_schedule
-- Store what the code declares; when it runs next changes only with when it is to run.
INSERT INTO job_schedules AS stored
       (name, queue, kind, payload, priority, max_attempts, cron, timezone, declared, next_run_at,
        updated_at)
VALUES ($1, $2, $3, coalesce($4, 'null'::jsonb), $5, $6, $7, $8, true, $9, $10)
ON CONFLICT (name) DO UPDATE
   SET queue = excluded.queue, kind = excluded.kind, payload = excluded.payload,
       priority = excluded.priority, max_attempts = excluded.max_attempts,
       cron = excluded.cron, timezone = excluded.timezone, declared = true,
       next_run_at = CASE WHEN (stored.cron, stored.timezone) = (excluded.cron, excluded.timezone)
                          THEN stored.next_run_at ELSE excluded.next_run_at END,
       updated_at = CASE WHEN (stored.cron, stored.timezone) = (excluded.cron, excluded.timezone)
                         THEN stored.updated_at ELSE excluded.updated_at END

-- name: forget_undeclared_schedules
-- Drop those that the code declared once and does no more.
DELETE FROM job_schedules WHERE declared AND name <> ALL ($1::text[])

-- name: put_schedule
-- Store a schedule made over the API; one that the code declares is not touched.
INSERT INTO job_schedules AS stored
       (name, queue, kind, payload, priority, max_attempts, cron, timezone, next_run_at, updated_at)
VALUES ($1, $2, $3, coalesce($4, 'null'::jsonb), $5, $6, $7, $8, $9, $10)
ON CONFLICT (name) DO UPDATE
   SET queue = excluded.queue, kind = excluded.kind, payload = excluded.payload,
       priority = excluded.priority, max_attempts = excluded.max_attempts,
       cron = excluded.cron, timezone = excluded.timezone,
       next_run_at = CASE WHEN (stored.cron, stored.timezone) = (excluded.cron, excluded.timezone)
                          THEN stored.next_run_at ELSE excluded.next_run_at END,
       updated_at = CASE WHEN (stored.cron, stored.timezone) = (excluded.cron, excluded.timezone)
                         THEN stored.updated_at ELSE excluded.updated_at END
 WHERE NOT stored.declared
RETURNING name, queue, kind, payload, priority, max_attempts, cron, timezone, declared,
          next_run_at, last_run_at

-- name: list_schedules
-- Schedules by name, after a name.
SELECT name, queue, kind, payload, priority, max_attempts, cron, timezone, declared,
       next_run_at, last_run_at
  FROM job_schedules WHERE name > $1 ORDER BY name LIMIT $2

-- name: read_schedule
-- One schedule.
SELECT name, queue, kind, payload, priority, max_attempts, cron, timezone, declared,
       next_run_at, last_run_at
  FROM job_schedules WHERE name = $1

-- name: is_declared
-- Whether a schedule stands in the code; null if there is none of that name.
SELECT declared FROM job_schedules WHERE name = $1

-- name: delete_schedule
-- Drop a schedule made over the API.
DELETE FROM job_schedules WHERE name = $1 AND NOT declared

-- name: take_due_schedules
-- Schedules whose tick has come, and those whose next tick was reckoned before the clock was set
-- back. Other processes pass over those that this one has.
SELECT name, queue, kind, payload, priority, max_attempts, cron, timezone, next_run_at, updated_at,
       statement_timestamp() AS now
  FROM job_schedules
 WHERE next_run_at <= statement_timestamp()
    OR updated_at > statement_timestamp() + interval '5 seconds'
 ORDER BY next_run_at
 LIMIT 100
   FOR UPDATE SKIP LOCKED

-- name: set_next_run
-- When a schedule's next tick is, reckoned from $3; whether its job was queued just now.
UPDATE job_schedules
   SET next_run_at = $2, updated_at = $3, last_run_at = CASE WHEN $4 THEN $3 ELSE last_run_at END
 WHERE name = $1

-- name: seconds_until_next_run
-- How long nothing is due; null without schedules.
SELECT extract(epoch FROM min(next_run_at) - clock_timestamp())::float8 FROM job_schedules
