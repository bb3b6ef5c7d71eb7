-- The answers that are kept for requests which are sent again under their `Idempotency-Key`.
CREATE TABLE idempotent_answers (
    caller      text        NOT NULL,
    key         text        NOT NULL,
    request     bytea       NOT NULL,
    status      smallint,
    answer      bytea,
    answered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotent_answers_pkey PRIMARY KEY (caller, key)
);
CREATE INDEX idempotent_answers_answered_at ON idempotent_answers (answered_at);
