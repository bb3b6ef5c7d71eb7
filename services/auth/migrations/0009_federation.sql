-- Other providers that people log in with, log-ins on their way, and who is who there.

-- `sealed_secret` is the client's secret, or the private key that makes secrets for Apple, encrypted
-- for its own row.
CREATE TABLE connections (
    id            text        CONSTRAINT connections_pkey PRIMARY KEY,
    name          text        NOT NULL,
    kind          text        NOT NULL,
    issuer        text        NOT NULL,
    client_id     text        NOT NULL,
    sealed_secret bytea       NOT NULL,
    scopes        text[]      NOT NULL,
    team_id       text,
    key_id        text,
    is_enabled    boolean     NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT connections_id_slug CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    CONSTRAINT connections_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT connections_kind_known
        CHECK (kind IN ('oidc', 'google', 'github', 'microsoft', 'apple')),
    CONSTRAINT connections_apple_key
        CHECK (kind <> 'apple' OR (team_id IS NOT NULL AND key_id IS NOT NULL))
);

-- A log-in that has been sent to its provider. The state is stored as a hash, and so is what the
-- browser that began it keeps in a cookie. With a session it links instead of logging in.
CREATE TABLE federated_attempts (
    state_hash    bytea       CONSTRAINT federated_attempts_pkey PRIMARY KEY,
    browser_hash  bytea       NOT NULL,
    connection_id text        NOT NULL CONSTRAINT federated_attempts_connection_id_fkey
                              REFERENCES connections ON DELETE CASCADE,
    session_id    uuid        CONSTRAINT federated_attempts_session_id_fkey
                              REFERENCES sessions ON DELETE CASCADE,
    return_to     text        NOT NULL,
    expires_at    timestamptz NOT NULL,
    CONSTRAINT federated_attempts_state_hash_length CHECK (octet_length(state_hash) = 32),
    CONSTRAINT federated_attempts_browser_hash_length CHECK (octet_length(browser_hash) = 32),
    CONSTRAINT federated_attempts_return_to_length CHECK (char_length(return_to) <= 4096)
);
CREATE INDEX federated_attempts_connection_id_idx ON federated_attempts (connection_id);
CREATE INDEX federated_attempts_session_id_idx ON federated_attempts (session_id)
    WHERE session_id IS NOT NULL;
CREATE INDEX federated_attempts_expires_at_idx ON federated_attempts (expires_at);

-- Who somebody is at a provider: found by issuer and subject, never by an address, which changes
-- hands. The address is what the provider said last, for its owner to tell identities apart.
CREATE TABLE identities (
    id            uuid        CONSTRAINT identities_pkey PRIMARY KEY,
    user_id       uuid        NOT NULL CONSTRAINT identities_user_id_fkey
                              REFERENCES users ON DELETE CASCADE,
    connection_id text        CONSTRAINT identities_connection_id_fkey
                              REFERENCES connections ON DELETE SET NULL,
    issuer        text        NOT NULL,
    subject       text        NOT NULL,
    email         text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT identities_issuer_subject_key UNIQUE (issuer, subject),
    CONSTRAINT identities_subject_length CHECK (char_length(subject) BETWEEN 1 AND 255)
);
CREATE INDEX identities_user_id_idx ON identities (user_id, id);
CREATE INDEX identities_connection_id_idx ON identities (connection_id);
