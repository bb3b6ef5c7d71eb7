-- Endpoints of other programs that are told of events, and the log of what was sent to them.

CREATE TABLE webhook_endpoints (
  id uuid CONSTRAINT webhook_endpoints_pkey PRIMARY KEY,
  url text NOT NULL,
  event_types text[] NOT NULL
    CONSTRAINT webhook_endpoints_event_types CHECK (cardinality(event_types) > 0),
  description text,
  enabled boolean NOT NULL DEFAULT true,
  disabled_reason text,
  failing_since timestamptz,
  secret bytea NOT NULL,
  previous_secret bytea,
  previous_secret_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CONSTRAINT webhook_endpoints_previous_secret_ends
    CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL)));
CREATE INDEX webhook_endpoints_matching ON webhook_endpoints USING gin (event_types)
  WHERE enabled AND deleted_at IS NULL;
CREATE INDEX webhook_endpoints_deleted ON webhook_endpoints (deleted_at)
  WHERE deleted_at IS NOT NULL;

-- The bytes of an event, once for all endpoints and all attempts.
CREATE TABLE webhook_messages (
  id uuid CONSTRAINT webhook_messages_pkey PRIMARY KEY,
  type text NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX webhook_messages_created_at ON webhook_messages (created_at);

CREATE TABLE webhook_deliveries (
  id uuid CONSTRAINT webhook_deliveries_pkey PRIMARY KEY,
  endpoint_id uuid NOT NULL
    CONSTRAINT webhook_deliveries_endpoint_id REFERENCES webhook_endpoints (id),
  message_id uuid NOT NULL
    CONSTRAINT webhook_deliveries_message_id REFERENCES webhook_messages (id),
  state text NOT NULL DEFAULT 'pending' CONSTRAINT webhook_deliveries_state
    CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
  round integer NOT NULL DEFAULT 1,
  attempts integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  CONSTRAINT webhook_deliveries_message_id_endpoint_id UNIQUE (message_id, endpoint_id),
  CONSTRAINT webhook_deliveries_ended CHECK (
    (state = 'pending') = (ended_at IS NULL) AND (state = 'pending') = (next_attempt_at IS NOT NULL)));
CREATE INDEX webhook_deliveries_endpoint_id ON webhook_deliveries (endpoint_id, id);
CREATE INDEX webhook_deliveries_ended_at ON webhook_deliveries (ended_at)
  WHERE ended_at IS NOT NULL;

CREATE TABLE webhook_attempts (
  delivery_id uuid NOT NULL CONSTRAINT webhook_attempts_delivery_id
    REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
  number integer NOT NULL,
  at timestamptz NOT NULL,
  duration_ms integer,
  status integer,
  answer text,
  error text,
  CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, number));
