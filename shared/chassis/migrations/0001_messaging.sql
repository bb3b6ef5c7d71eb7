-- Tables by which a service tells others what changed, hears from them, and works in the
-- background. Every service's schema has its own.

CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  message_id uuid NOT NULL,
  exchange text NOT NULL,
  routing_key text NOT NULL,
  subject text NOT NULL,
  body jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX outbox_window ON outbox (txid, id);

CREATE TABLE outbox_cursor (
  single boolean PRIMARY KEY DEFAULT true CONSTRAINT outbox_cursor_single CHECK (single),
  snapshot pg_snapshot NOT NULL);
INSERT INTO outbox_cursor (snapshot) VALUES (pg_current_snapshot());

CREATE TABLE inbox (
  consumer text NOT NULL,
  event_id uuid NOT NULL,
  seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, event_id));
CREATE INDEX inbox_seen_at ON inbox (seen_at);

CREATE TABLE dead_letters (
  consumer text NOT NULL,
  event_id uuid NOT NULL,
  event_type text NOT NULL,
  attempts integer NOT NULL,
  cause text NOT NULL,
  body jsonb NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, event_id));

CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  queue text NOT NULL,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  state text NOT NULL DEFAULT 'queued'
    CONSTRAINT jobs_state CHECK (state IN ('queued', 'running', 'completed', 'failed')),
  priority smallint NOT NULL DEFAULT 0,
  run_at timestamptz NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL CONSTRAINT jobs_max_attempts CHECK (max_attempts > 0),
  deaths integer NOT NULL DEFAULT 0,
  worker text,
  lease_until timestamptz,
  unique_key text,
  errors jsonb NOT NULL DEFAULT '[]',
  traceparent text,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz,
  CONSTRAINT jobs_running_has_lease
    CHECK ((state = 'running') = (worker IS NOT NULL AND lease_until IS NOT NULL)),
  CONSTRAINT jobs_ended_has_time
    CHECK ((state IN ('completed', 'failed')) = (finished_at IS NOT NULL)));
CREATE INDEX jobs_due ON jobs (queue, priority, run_at) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_ended ON jobs (queue, state, finished_at) WHERE state IN ('completed', 'failed');
CREATE UNIQUE INDEX jobs_unique_key ON jobs (queue, unique_key)
  WHERE state IN ('queued', 'running');
