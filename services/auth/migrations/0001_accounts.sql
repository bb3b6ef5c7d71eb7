-- Accounts, pending sign-ups and the links that are mailed for them.

CREATE TABLE users (
    id            uuid        CONSTRAINT users_pkey PRIMARY KEY,
    email         text        NOT NULL CONSTRAINT users_email_key UNIQUE,
    name          text,
    password_hash text        NOT NULL,
    roles         text[]      NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_email_normalised
        CHECK (email IS NFKC NORMALIZED AND email = lower(email COLLATE "C")),
    CONSTRAINT users_email_length CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT users_roles_named CHECK (array_position(roles, NULL) IS NULL AND '' <> ALL (roles))
);

-- Each attempt keeps its own password and its own link: whoever redeems the link gets the
-- password that was chosen together with it, never one that a stranger chose.
CREATE TABLE signups (
    id            uuid        CONSTRAINT signups_pkey PRIMARY KEY,
    email         text        NOT NULL,
    name          text,
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    CONSTRAINT signups_email_normalised
        CHECK (email IS NFKC NORMALIZED AND email = lower(email COLLATE "C")),
    CONSTRAINT signups_email_length CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT signups_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT signups_expiry CHECK (expires_at > created_at)
);
CREATE INDEX signups_email_idx ON signups (email);
CREATE INDEX signups_expires_at_idx ON signups (expires_at);

-- The token of a link is derived from its id; only the token's hash is kept.
CREATE TABLE links (
    id         uuid        CONSTRAINT links_pkey PRIMARY KEY,
    purpose    text        NOT NULL,
    token_hash bytea       NOT NULL CONSTRAINT links_token_hash_key UNIQUE,
    signup_id  uuid        CONSTRAINT links_signup_id_fkey REFERENCES signups ON DELETE CASCADE
                           CONSTRAINT links_signup_id_key UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT links_purpose_known CHECK (purpose IN ('signup')),
    CONSTRAINT links_signup_named CHECK (purpose <> 'signup' OR signup_id IS NOT NULL),
    CONSTRAINT links_token_hash_length CHECK (octet_length(token_hash) = 32),
    CONSTRAINT links_expiry CHECK (expires_at > created_at)
);
