-- The statements that run for every job are planned when the table is new and empty, and a queue
-- is empty again and again. A plan made then reads whole tables, or indexes by bitmap, which
-- never forgets an entry whose row is dead: claims would slow down until the next vacuum.

-- Only a running job has a worker, so a statement about a worker's jobs needs no other condition
-- and finds them by their ids.
ALTER TABLE jobs
  DROP CONSTRAINT jobs_running_has_lease,
  ADD CONSTRAINT jobs_running_has_worker CHECK ((state = 'running') = (worker IS NOT NULL)),
  ADD CONSTRAINT jobs_running_has_lease CHECK ((state = 'running') = (lease_until IS NOT NULL));

-- Take the next due jobs of a queue under a lease, as many as the queue's settings allow. Whoever
-- claims from a queue with a limit waits for the others at the queue's row, and every statement
-- here sees what was committed before it began, so the limits hold over all processes. What is
-- queued is due, whatever the clock says: it may have been set back since.
--
-- A claim does not wait for the disk: if the server loses one, the job is still queued, and whoever
-- held it finds that it is not theirs when it is to be completed.
CREATE OR REPLACE FUNCTION claim_jobs(wanted_queue text, wanted integer, claimant text, lease_time interval)
RETURNS SETOF jobs LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  queue_settings job_queues;
  allowed integer := wanted;
  claimed integer;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
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
