-- Telling applications that a session has ended, and signing as those of them want it that cannot
-- verify elliptic curves.

ALTER TABLE oauth_clients
    ADD COLUMN backchannel_logout_uri text,
    ADD COLUMN id_token_algorithm     text NOT NULL DEFAULT 'ES256',
    ADD CONSTRAINT oauth_clients_id_token_algorithm_known
        CHECK (id_token_algorithm IN ('ES256', 'RS256'));
ALTER TABLE oauth_clients ALTER COLUMN id_token_algorithm DROP DEFAULT;

-- `sid` is what the application was told; a session that is replaced at step-up keeps its sign-ins,
-- and they keep theirs.
ALTER TABLE oauth_grants ADD COLUMN sid uuid;
UPDATE oauth_grants SET sid = session_id;

-- Which application a session signed into. A row outlives the session, which may go with its
-- account, until the application's logout is queued.
CREATE TABLE oauth_participants (
    session_id uuid        NOT NULL,
    client_id  text        NOT NULL CONSTRAINT oauth_participants_client_id_fkey
                           REFERENCES oauth_clients ON DELETE CASCADE,
    sid        uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT oauth_participants_pkey PRIMARY KEY (session_id, client_id, sid)
);
CREATE INDEX oauth_participants_client_id_idx ON oauth_participants (client_id);
CREATE INDEX oauth_participants_expires_at_idx ON oauth_participants (expires_at);

ALTER TABLE signing_keys
    DROP CONSTRAINT signing_keys_algorithm_known,
    ADD CONSTRAINT signing_keys_algorithm_known CHECK (algorithm IN ('ES256', 'RS256'));
