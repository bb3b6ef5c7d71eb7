-- What applications register and send: event types, and the answers kept for requests that are
-- sent again.

CREATE TABLE event_types (
  name text CONSTRAINT event_types_pkey PRIMARY KEY,
  version integer NOT NULL DEFAULT 1 CONSTRAINT event_types_version CHECK (version > 0),
  schema jsonb NOT NULL,
  description text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  -- A deleted type leaves its row, so that a version never means two schemas.
  deleted_at timestamptz);

CREATE TABLE idempotent_answers (
  caller text NOT NULL,
  key text NOT NULL,
  request bytea NOT NULL,
  status smallint,
  answer bytea,
  answered_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT idempotent_answers_pkey PRIMARY KEY (caller, key));
CREATE INDEX idempotent_answers_answered_at ON idempotent_answers (answered_at);
