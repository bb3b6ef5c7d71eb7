-- Sessions, what ended them before their time, and failed log-ins.

-- A user cannot be deleted while sessions or keys remain: each of them has to be revoked, or
-- its access tokens would outlive the account. No indexed column changes when a session is
-- refreshed, and pages keep room, so that a rotation stays a heap-only update.
CREATE TABLE sessions (
    id              uuid        CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id         uuid        NOT NULL CONSTRAINT sessions_user_id_fkey REFERENCES users,
    token_delivery  text        NOT NULL,
    refresh_counter bigint      NOT NULL DEFAULT 0,
    refreshed_at    timestamptz NOT NULL DEFAULT now(),
    idle_expires_at timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    user_agent      text,
    address         inet,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sessions_token_delivery_known CHECK (token_delivery IN ('cookie', 'body')),
    CONSTRAINT sessions_refresh_counter_positive CHECK (refresh_counter >= 0),
    CONSTRAINT sessions_expiry CHECK (expires_at > created_at),
    CONSTRAINT sessions_idle_expiry CHECK (idle_expires_at <= expires_at),
    CONSTRAINT sessions_user_agent_length CHECK (char_length(user_agent) <= 256)
) WITH (fillfactor = 70);
CREATE INDEX sessions_user_id_idx ON sessions (user_id, id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- Sessions and API keys whose access tokens must not be honoured any more. `recorded_by` is
-- the transaction that wrote the row: readers follow it by snapshots, which neither a late
-- commit nor a jumping clock can make them miss.
CREATE TABLE revocations (
    session_id  uuid        CONSTRAINT revocations_pkey PRIMARY KEY,
    user_id     uuid        NOT NULL,
    recorded_by xid8        NOT NULL DEFAULT pg_current_xact_id(),
    revoked_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    CONSTRAINT revocations_expiry CHECK (expires_at > revoked_at)
);
CREATE INDEX revocations_recorded_by_idx ON revocations (recorded_by);
CREATE INDEX revocations_expires_at_idx ON revocations (expires_at);

-- `account` is a MAC of the address that was typed, known or not: people type passwords into
-- the wrong field, and the table must not tell which addresses have an account.
CREATE TABLE login_failures (
    account        bytea       NOT NULL,
    network        cidr        NOT NULL,
    failures       integer     NOT NULL,
    last_failed_at timestamptz NOT NULL,
    CONSTRAINT login_failures_pkey PRIMARY KEY (account, network),
    CONSTRAINT login_failures_account_length CHECK (octet_length(account) = 32),
    CONSTRAINT login_failures_failures_positive CHECK (failures > 0)
);
CREATE INDEX login_failures_last_failed_at_idx ON login_failures (last_failed_at);
