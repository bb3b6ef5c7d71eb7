-- What lists and figures for people need, so that a million jobs cost them nothing.

-- The newest of those that wait for their time; nothing that runs at once is in it.
CREATE INDEX jobs_scheduled_newest ON jobs (queue, id) WHERE state = 'scheduled';

-- When the job of a queue that has waited longest was due. The index has run_at behind the
-- priority, so the first of each priority is looked at, not each job.
CREATE FUNCTION oldest_queued_job(wanted_queue text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  WITH RECURSIVE heads AS (
    (SELECT priority, run_at FROM jobs
      WHERE queue = wanted_queue AND state = 'queued'
      ORDER BY priority, run_at LIMIT 1)
    UNION ALL
    SELECT following.priority, following.run_at
      FROM heads,
           LATERAL (SELECT priority, run_at FROM jobs
                     WHERE queue = wanted_queue AND state = 'queued'
                       AND priority > heads.priority
                     ORDER BY priority, run_at LIMIT 1) AS following)
  SELECT min(run_at) FROM heads
$$;
