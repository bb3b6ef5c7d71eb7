-- Moving accounts to other addresses.

-- One change at a time. It happens when both addresses have confirmed it; a newer request takes the
-- place of an older one, whose links lead nowhere then. `session_id` is the session that asked.
CREATE TABLE email_changes (
    id               uuid        CONSTRAINT email_changes_pkey PRIMARY KEY,
    user_id          uuid        NOT NULL CONSTRAINT email_changes_user_id_fkey
                                 REFERENCES users ON DELETE CASCADE
                                 CONSTRAINT email_changes_user_id_key UNIQUE,
    session_id       uuid        NOT NULL,
    new_email        text        NOT NULL,
    old_confirmed_at timestamptz,
    new_confirmed_at timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    CONSTRAINT email_changes_new_email_normalised
        CHECK (new_email IS NFKC NORMALIZED AND new_email = lower(new_email COLLATE "C")),
    CONSTRAINT email_changes_new_email_length CHECK (char_length(new_email) BETWEEN 3 AND 254),
    CONSTRAINT email_changes_expiry CHECK (expires_at > created_at)
);
CREATE INDEX email_changes_expires_at_idx ON email_changes (expires_at);

-- What the owner of an address gets instead of a link if it belongs to another account.
ALTER TABLE links ADD COLUMN template_taken text;
