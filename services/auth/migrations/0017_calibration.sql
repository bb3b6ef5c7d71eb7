-- How hard it is to hash a password here: measured once by whoever starts first, so that all
-- processes agree and a busy moment later changes nothing.
CREATE TABLE password_cost (
    id          smallint    NOT NULL DEFAULT 1 CONSTRAINT password_cost_pkey PRIMARY KEY,
    cost        smallint    NOT NULL,
    measured_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT password_cost_single CHECK (id = 1),
    CONSTRAINT password_cost_range CHECK (cost BETWEEN 4 AND 16)
);
