-- A signing key is published some time before it signs, and stays published after another took its
-- place until the last token that it signed is of no use any more.
ALTER TABLE signing_keys
    ADD COLUMN activates_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN retires_at   timestamptz,
    ADD CONSTRAINT signing_keys_retirement CHECK (retires_at > activates_at);
