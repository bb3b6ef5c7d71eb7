-- Applications that sign their users in with Freehold, and what they were given.

CREATE TABLE oauth_clients (
    id                        text        CONSTRAINT oauth_clients_pkey PRIMARY KEY,
    name                      text        NOT NULL CONSTRAINT oauth_clients_name_key UNIQUE,
    secret_hash               bytea,
    redirect_uris             text[]      NOT NULL,
    post_logout_redirect_uris text[]      NOT NULL,
    scopes                    text[]      NOT NULL,
    is_trusted                boolean     NOT NULL,
    created_at                timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT oauth_clients_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT oauth_clients_secret_hash_length CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT oauth_clients_redirects CHECK (cardinality(redirect_uris) BETWEEN 1 AND 20)
);

-- What a user allowed an application to be told.
CREATE TABLE oauth_consents (
    user_id    uuid        NOT NULL CONSTRAINT oauth_consents_user_id_fkey
                           REFERENCES users ON DELETE CASCADE,
    client_id  text        NOT NULL CONSTRAINT oauth_consents_client_id_fkey
                           REFERENCES oauth_clients ON DELETE CASCADE,
    scopes     text[]      NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT oauth_consents_pkey PRIMARY KEY (user_id, client_id)
);
CREATE INDEX oauth_consents_client_id_idx ON oauth_consents (client_id);

-- One sign-in of a user at an application. It ends with the user's session, unless the application
-- was allowed to act while the user is away.
CREATE TABLE oauth_grants (
    id               uuid        CONSTRAINT oauth_grants_pkey PRIMARY KEY,
    client_id        text        NOT NULL CONSTRAINT oauth_grants_client_id_fkey
                                 REFERENCES oauth_clients ON DELETE CASCADE,
    user_id          uuid        NOT NULL CONSTRAINT oauth_grants_user_id_fkey
                                 REFERENCES users ON DELETE CASCADE,
    session_id       uuid        CONSTRAINT oauth_grants_session_id_fkey
                                 REFERENCES sessions ON DELETE CASCADE,
    scopes           text[]      NOT NULL,
    nonce            text,
    methods          text[]      NOT NULL,
    authenticated_at timestamptz NOT NULL,
    refresh_counter  bigint      NOT NULL DEFAULT 0,
    refreshed_at     timestamptz NOT NULL DEFAULT now(),
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    CONSTRAINT oauth_grants_refresh_counter_positive CHECK (refresh_counter >= 0),
    CONSTRAINT oauth_grants_expiry CHECK (expires_at > created_at)
);
CREATE INDEX oauth_grants_client_id_idx ON oauth_grants (client_id);
CREATE INDEX oauth_grants_user_id_idx ON oauth_grants (user_id, client_id);
CREATE INDEX oauth_grants_session_id_idx ON oauth_grants (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX oauth_grants_expires_at_idx ON oauth_grants (expires_at);

-- A spent code stays until it would have expired: whoever brings it again ends its grant.
CREATE TABLE oauth_codes (
    code_hash      bytea       CONSTRAINT oauth_codes_pkey PRIMARY KEY,
    grant_id       uuid        NOT NULL CONSTRAINT oauth_codes_grant_id_fkey
                               REFERENCES oauth_grants ON DELETE CASCADE,
    redirect_uri   text        NOT NULL,
    code_challenge text        NOT NULL,
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz,
    CONSTRAINT oauth_codes_code_hash_length CHECK (octet_length(code_hash) = 32)
);
CREATE INDEX oauth_codes_grant_id_idx ON oauth_codes (grant_id);
CREATE INDEX oauth_codes_expires_at_idx ON oauth_codes (expires_at);
