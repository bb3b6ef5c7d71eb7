-- Second factors, what is left between the two proofs of a log-in, and links by mail.

-- Secrets of authenticator apps, each encrypted for its own row. An unconfirmed one counts for
-- nothing and can only be confirmed by the session that asked for it.
CREATE TABLE totp_factors (
    id             uuid        CONSTRAINT totp_factors_pkey PRIMARY KEY,
    user_id        uuid        NOT NULL CONSTRAINT totp_factors_user_id_fkey
                               REFERENCES users ON DELETE CASCADE,
    session_id     uuid        NOT NULL,
    sealed_secret  bytea       NOT NULL,
    last_used_step bigint      NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    confirmed_at   timestamptz,
    last_used_at   timestamptz,
    CONSTRAINT totp_factors_used_when_confirmed
        CHECK (last_used_at IS NULL OR confirmed_at IS NOT NULL)
);
CREATE UNIQUE INDEX totp_factors_confirmed_key ON totp_factors (user_id)
    WHERE confirmed_at IS NOT NULL;
CREATE UNIQUE INDEX totp_factors_pending_key ON totp_factors (user_id)
    WHERE confirmed_at IS NULL;
CREATE INDEX totp_factors_pending_created_at_idx ON totp_factors (created_at)
    WHERE confirmed_at IS NULL;

-- A code has 140 random bits, so a plain hash of it can be neither guessed nor reversed.
CREATE TABLE recovery_codes (
    code_hash  bytea       CONSTRAINT recovery_codes_pkey PRIMARY KEY,
    user_id    uuid        NOT NULL CONSTRAINT recovery_codes_user_id_fkey
                           REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT recovery_codes_code_hash_length CHECK (octet_length(code_hash) = 32)
);
CREATE INDEX recovery_codes_user_id_idx ON recovery_codes (user_id);

-- Log-ins whose first proof was good and whose second is outstanding.
CREATE TABLE factor_challenges (
    id             uuid        CONSTRAINT factor_challenges_pkey PRIMARY KEY,
    user_id        uuid        NOT NULL CONSTRAINT factor_challenges_user_id_fkey
                               REFERENCES users ON DELETE CASCADE,
    token_hash     bytea       NOT NULL CONSTRAINT factor_challenges_token_hash_key UNIQUE,
    first_method   text        NOT NULL,
    token_delivery text        NOT NULL,
    failures       smallint    NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    CONSTRAINT factor_challenges_token_hash_length CHECK (octet_length(token_hash) = 32),
    CONSTRAINT factor_challenges_token_delivery_known CHECK (token_delivery IN ('cookie', 'body')),
    CONSTRAINT factor_challenges_failures_positive CHECK (failures >= 0),
    CONSTRAINT factor_challenges_expiry CHECK (expires_at > created_at)
);
CREATE INDEX factor_challenges_user_id_idx ON factor_challenges (user_id);
CREATE INDEX factor_challenges_expires_at_idx ON factor_challenges (expires_at);

-- Wrong codes, apart from wrong passwords: whoever guesses at the one slows nobody at the other.
CREATE TABLE factor_failures (
    user_id        uuid        NOT NULL CONSTRAINT factor_failures_user_id_fkey
                               REFERENCES users ON DELETE CASCADE,
    network        cidr        NOT NULL,
    failures       integer     NOT NULL,
    last_failed_at timestamptz NOT NULL,
    CONSTRAINT factor_failures_pkey PRIMARY KEY (user_id, network),
    CONSTRAINT factor_failures_failures_positive CHECK (failures > 0)
);
CREATE INDEX factor_failures_last_failed_at_idx ON factor_failures (last_failed_at);

-- Who asked for a link by mail: only that device may enter the code of six digits instead.
CREATE TABLE magic_link_requests (
    link_id      uuid     CONSTRAINT magic_link_requests_pkey PRIMARY KEY
                          CONSTRAINT magic_link_requests_link_id_fkey
                          REFERENCES links ON DELETE CASCADE,
    request_hash bytea    NOT NULL CONSTRAINT magic_link_requests_request_hash_key UNIQUE,
    failures     smallint NOT NULL DEFAULT 0,
    CONSTRAINT magic_link_requests_request_hash_length CHECK (octet_length(request_hash) = 32),
    CONSTRAINT magic_link_requests_failures_positive CHECK (failures >= 0)
);

-- How many mails were asked for from one network and how many codes were wrong, for addresses
-- known and unknown alike; `address` is a MAC.
CREATE TABLE magic_link_counts (
    address bytea       NOT NULL,
    kind    text        NOT NULL,
    network cidr        NOT NULL,
    count   integer     NOT NULL,
    since   timestamptz NOT NULL,
    CONSTRAINT magic_link_counts_pkey PRIMARY KEY (address, kind, network),
    CONSTRAINT magic_link_counts_kind_known CHECK (kind IN ('mail', 'code')),
    CONSTRAINT magic_link_counts_address_length CHECK (octet_length(address) = 32),
    CONSTRAINT magic_link_counts_count_positive CHECK (count >= 0)
);
CREATE INDEX magic_link_counts_since_idx ON magic_link_counts (since);
