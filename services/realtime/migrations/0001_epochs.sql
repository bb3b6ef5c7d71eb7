-- The lives of the realtime stream. Offsets are comparable within one life only, so each has a
-- name that is part of every position; the newest row is the present one.

CREATE TABLE epochs (
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT epochs_pkey PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT epochs_name_key UNIQUE,
    previous   text        NOT NULL CONSTRAINT epochs_previous_key UNIQUE,
    boot_id    text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT epochs_name_shape CHECK (name ~ '^[0-9a-f]{12}$')
);

INSERT INTO epochs (name, previous) VALUES (left(md5(gen_random_uuid()::text), 12), '');
