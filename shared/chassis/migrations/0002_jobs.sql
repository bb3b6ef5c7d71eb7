-- Queues with settings, jobs that wait for their time apart from those that are due, results,
-- progress, cancellation, keys with a period, and schedules.

ALTER TABLE jobs
  DROP CONSTRAINT jobs_state,
  DROP CONSTRAINT jobs_ended_has_time,
  ADD COLUMN lease interval,
  ADD COLUMN progress jsonb,
  ADD COLUMN result jsonb,
  ADD COLUMN unique_until timestamptz,
  ADD COLUMN schedule text,
  ADD CONSTRAINT jobs_state CHECK (
    state IN ('scheduled', 'queued', 'running', 'completed', 'failed', 'cancelled')),
  ADD CONSTRAINT jobs_ended_has_time CHECK (
    (state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL));

-- A claim reads due jobs only: a million that wait for next week stand in another index.
DROP INDEX jobs_due;
CREATE INDEX jobs_queued ON jobs (queue, priority, run_at, id) WHERE state = 'queued';
CREATE INDEX jobs_scheduled ON jobs (queue, run_at) WHERE state = 'scheduled';
CREATE INDEX jobs_running ON jobs (queue, lease_until) WHERE state = 'running';

DROP INDEX jobs_ended;
CREATE INDEX jobs_ended ON jobs (queue, state, finished_at)
  WHERE state IN ('completed', 'failed', 'cancelled');

DROP INDEX jobs_unique_key;
CREATE UNIQUE INDEX jobs_unique_key ON jobs (queue, unique_key)
  WHERE state IN ('scheduled', 'queued', 'running') AND unique_key IS NOT NULL;
CREATE INDEX jobs_unique_until ON jobs (queue, unique_key) WHERE unique_until IS NOT NULL;

-- Most rows live for less than a second, so dead ones have to go long before a fifth of the
-- table is dead, and statistics have to follow.
ALTER TABLE jobs SET (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
  autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0);
ALTER TABLE outbox SET (
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- A queue without a row has the defaults that stand here.
CREATE TABLE job_queues (
  name text CONSTRAINT job_queues_pkey PRIMARY KEY,
  paused boolean NOT NULL DEFAULT false,
  concurrency integer CONSTRAINT job_queues_concurrency CHECK (concurrency > 0),
  rate_limit integer CONSTRAINT job_queues_rate_limit CHECK (rate_limit > 0),
  rate_period interval NOT NULL DEFAULT '1 second'
    CONSTRAINT job_queues_rate_period CHECK (rate_period > interval '0'),
  rate_window_began_at timestamptz,
  rate_window_started integer NOT NULL DEFAULT 0,
  keep_completed integer NOT NULL DEFAULT 100
    CONSTRAINT job_queues_keep_completed CHECK (keep_completed >= 0),
  keep_failed integer NOT NULL DEFAULT 50
    CONSTRAINT job_queues_keep_failed CHECK (keep_failed >= 0),
  updated_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE job_schedules (
  name text CONSTRAINT job_schedules_pkey PRIMARY KEY,
  queue text NOT NULL,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  priority smallint NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL CONSTRAINT job_schedules_max_attempts CHECK (max_attempts > 0),
  cron text NOT NULL,
  timezone text NOT NULL,
  declared boolean NOT NULL DEFAULT false,
  next_run_at timestamptz NOT NULL,
  last_run_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX job_schedules_next_run_at ON job_schedules (next_run_at);

-- Take the next due jobs of a queue under a lease, as many as the queue's settings allow. Whoever
-- claims from a queue with a limit waits for the others at the queue's row, and every statement
-- here sees what was committed before it began, so the limits hold over all processes. What is
-- queued is due, whatever the clock says: it may have been set back since.
CREATE FUNCTION claim_jobs(wanted_queue text, wanted integer, claimant text, lease_time interval)
RETURNS SETOF jobs LANGUAGE plpgsql AS $$
DECLARE
  queue_settings job_queues;
  allowed integer := wanted;
  claimed integer;
BEGIN
  SELECT * INTO queue_settings FROM job_queues WHERE name = wanted_queue;
  IF queue_settings.paused THEN
    RETURN;
  END IF;
  IF queue_settings.concurrency IS NOT NULL OR queue_settings.rate_limit IS NOT NULL THEN
    SELECT * INTO queue_settings FROM job_queues WHERE name = wanted_queue FOR UPDATE;
    IF queue_settings.concurrency IS NOT NULL THEN
      allowed := least(allowed, queue_settings.concurrency - (
        SELECT count(*)::integer FROM jobs WHERE queue = wanted_queue AND state = 'running'));
    END IF;
    IF queue_settings.rate_limit IS NOT NULL THEN
      -- A window that began in the future is left from before the clock was set back.
      IF queue_settings.rate_window_began_at IS NULL
         OR queue_settings.rate_window_began_at > clock_timestamp()
         OR queue_settings.rate_window_began_at + queue_settings.rate_period
            <= clock_timestamp() THEN
        queue_settings.rate_window_began_at := clock_timestamp();
        queue_settings.rate_window_started := 0;
      END IF;
      allowed := least(allowed, queue_settings.rate_limit - queue_settings.rate_window_started);
    END IF;
  END IF;
  IF allowed <= 0 THEN
    RETURN;
  END IF;
  RETURN QUERY
    UPDATE jobs
       SET state = 'running', worker = claimant, lease = lease_time,
           lease_until = clock_timestamp() + lease_time, started_at = clock_timestamp(),
           attempts = attempts + 1
     WHERE id = ANY (ARRAY(
             SELECT due.id FROM jobs AS due
              WHERE due.queue = wanted_queue AND due.state = 'queued'
              ORDER BY due.priority, due.run_at, due.id
              LIMIT allowed
                FOR UPDATE SKIP LOCKED))
    RETURNING jobs.*;
  GET DIAGNOSTICS claimed = ROW_COUNT;
  IF queue_settings.rate_limit IS NOT NULL AND claimed > 0 THEN
    UPDATE job_queues
       SET rate_window_began_at = queue_settings.rate_window_began_at,
           rate_window_started = queue_settings.rate_window_started + claimed
     WHERE name = wanted_queue;
  END IF;
END $$;
