-- What every way in shares: accounts without a password or shut by an administrator, how a session
-- was opened, mails about an account, and the log of what was done.

ALTER TABLE users
    ALTER COLUMN password_hash DROP NOT NULL,
    ADD COLUMN disabled_at timestamptz;

-- `methods` are how its user proved who they are, `authenticated_at` when they last did.
ALTER TABLE sessions
    ADD COLUMN methods          text[]      NOT NULL DEFAULT '{pwd}',
    ADD COLUMN authenticated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN impersonator_id  uuid        CONSTRAINT sessions_impersonator_id_fkey
                                            REFERENCES users;
ALTER TABLE sessions ALTER COLUMN methods DROP DEFAULT;
CREATE INDEX sessions_impersonator_id_idx ON sessions (impersonator_id)
    WHERE impersonator_id IS NOT NULL;

-- A link of a sign-up belongs to its attempt. Every other mail about an account stands here by
-- itself: with a path it carries a link, without one it only tells. One that names no user is for
-- whoever has the address when it is rendered, so that asking for it tells nobody whether somebody
-- has. `data` is for whoever redeems the link and is shown to nobody.
ALTER TABLE links
    DROP CONSTRAINT links_purpose_known,
    ADD COLUMN user_id            uuid CONSTRAINT links_user_id_fkey
                                       REFERENCES users ON DELETE CASCADE,
    ADD COLUMN email              text,
    ADD COLUMN template           text,
    ADD COLUMN template_otherwise text,
    ADD COLUMN path               text,
    ADD COLUMN has_code           boolean NOT NULL DEFAULT false,
    ADD COLUMN variables          jsonb   NOT NULL DEFAULT '{}',
    ADD COLUMN data               jsonb   NOT NULL DEFAULT '{}',
    ADD CONSTRAINT links_purpose_named CHECK (purpose ~ '^[a-z_]{1,40}$'),
    ADD CONSTRAINT links_addressed CHECK ((signup_id IS NULL) = (email IS NOT NULL)),
    ADD CONSTRAINT links_templated CHECK ((signup_id IS NULL) = (template IS NOT NULL)),
    ADD CONSTRAINT links_email_length CHECK (char_length(email) BETWEEN 3 AND 254);
CREATE INDEX links_user_id_idx ON links (user_id, purpose) WHERE user_id IS NOT NULL;
CREATE INDEX links_email_idx ON links (email, purpose) WHERE email IS NOT NULL;
CREATE INDEX links_expires_at_idx ON links (expires_at) WHERE signup_id IS NULL;

-- Who did what to whom, written in the act's own transaction. The log outlives the accounts it
-- names, and holds neither passwords, tokens nor links.
CREATE TABLE audit_log (
    id         uuid        CONSTRAINT audit_log_pkey PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    action     text        NOT NULL,
    actor_id   uuid,
    user_id    uuid,
    session_id uuid,
    address    inet,
    user_agent text,
    details    jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT audit_log_action_named CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    CONSTRAINT audit_log_user_agent_length CHECK (char_length(user_agent) <= 256)
);
CREATE INDEX audit_log_user_id_idx ON audit_log (user_id, id);
CREATE INDEX audit_log_actor_id_idx ON audit_log (actor_id, id);
CREATE INDEX audit_log_action_idx ON audit_log (action, id);
