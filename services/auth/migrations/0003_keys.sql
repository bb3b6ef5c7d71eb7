-- Keys that sign access tokens, and keys that programs authenticate with.

-- The private key is encrypted with a key derived from the master key.
CREATE TABLE signing_keys (
    id          text        CONSTRAINT signing_keys_pkey PRIMARY KEY,
    algorithm   text        NOT NULL,
    public_key  bytea       NOT NULL,
    private_key bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT signing_keys_algorithm_known CHECK (algorithm IN ('ES256'))
);

CREATE TABLE api_keys (
    id           uuid        CONSTRAINT api_keys_pkey PRIMARY KEY,
    user_id      uuid        NOT NULL CONSTRAINT api_keys_user_id_fkey REFERENCES users,
    name         text        NOT NULL,
    key_hash     bytea       NOT NULL CONSTRAINT api_keys_key_hash_key UNIQUE,
    prefix       text        NOT NULL,
    scopes       text[]      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_keys_key_hash_length CHECK (octet_length(key_hash) = 32),
    CONSTRAINT api_keys_scopes_given CHECK (cardinality(scopes) BETWEEN 1 AND 32),
    CONSTRAINT api_keys_expiry CHECK (expires_at > created_at)
);
CREATE INDEX api_keys_user_id_idx ON api_keys (user_id, id);
CREATE INDEX api_keys_expires_at_idx ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
