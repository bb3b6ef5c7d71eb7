-- Passkeys (WebAuthn credentials), and the challenges that they are asked to sign.

-- The public halves only: nothing here logs anybody in. `sign_count` is 0 for good with passkeys
-- that are synchronised between devices.
CREATE TABLE passkeys (
    id            uuid        CONSTRAINT passkeys_pkey PRIMARY KEY,
    user_id       uuid        NOT NULL CONSTRAINT passkeys_user_id_fkey
                              REFERENCES users ON DELETE CASCADE,
    credential_id bytea       NOT NULL CONSTRAINT passkeys_credential_id_key UNIQUE,
    public_key    bytea       NOT NULL,
    sign_count    bigint      NOT NULL,
    transports    text[]      NOT NULL,
    is_backed_up  boolean     NOT NULL,
    name          text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    CONSTRAINT passkeys_credential_id_length CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    CONSTRAINT passkeys_public_key_length CHECK (octet_length(public_key) BETWEEN 1 AND 4096),
    CONSTRAINT passkeys_sign_count_range CHECK (sign_count BETWEEN 0 AND 4294967295),
    CONSTRAINT passkeys_name_length CHECK (char_length(name) BETWEEN 1 AND 100)
);
CREATE INDEX passkeys_user_id_idx ON passkeys (user_id, id);

-- Each is signed once. Of a log-in nobody knows yet whose it is; of everything else the challenge
-- is for one user and one `holder`, the session or the half-finished log-in that asked: a new one
-- takes the place of the one before it.
CREATE TABLE passkey_challenges (
    challenge_hash bytea       CONSTRAINT passkey_challenges_pkey PRIMARY KEY,
    purpose        text        NOT NULL,
    user_id        uuid        CONSTRAINT passkey_challenges_user_id_fkey
                               REFERENCES users ON DELETE CASCADE,
    holder         uuid,
    expires_at     timestamptz NOT NULL,
    CONSTRAINT passkey_challenges_holder_key UNIQUE (purpose, holder),
    CONSTRAINT passkey_challenges_hash_length CHECK (octet_length(challenge_hash) = 32),
    CONSTRAINT passkey_challenges_purpose_known
        CHECK (purpose IN ('registration', 'log_in', 'second_step', 'step_up')),
    CONSTRAINT passkey_challenges_bound
        CHECK ((purpose = 'log_in') = (user_id IS NULL) AND (user_id IS NULL) = (holder IS NULL))
);
CREATE INDEX passkey_challenges_user_id_idx ON passkey_challenges (user_id)
    WHERE user_id IS NOT NULL;
CREATE INDEX passkey_challenges_expires_at_idx ON passkey_challenges (expires_at);
