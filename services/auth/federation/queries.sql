-- name: insert_connection
-- A new connection.
INSERT INTO connections
    (id, name, kind, issuer, client_id, sealed_secret, scopes, team_id, key_id, is_enabled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING id, name, kind, issuer, client_id, sealed_secret, scopes, team_id, key_id, is_enabled,
          created_at;

-- name: find_connection
-- One connection.
SELECT id, name, kind, issuer, client_id, sealed_secret, scopes, team_id, key_id, is_enabled,
       created_at
FROM connections WHERE id = $1;

-- name: lock_connection
-- One connection, locked for a change.
SELECT id, name, kind, issuer, client_id, sealed_secret, scopes, team_id, key_id, is_enabled,
       created_at
FROM connections WHERE id = $1 FOR UPDATE;

-- name: update_connection
-- Replace what may change of a connection.
UPDATE connections
SET name = $2, client_id = $3, sealed_secret = $4, scopes = $5, team_id = $6, key_id = $7,
    is_enabled = $8
WHERE id = $1;

-- name: list_connections
-- A page of connections by their ids.
SELECT id, name, kind, issuer, client_id, sealed_secret, scopes, team_id, key_id, is_enabled,
       created_at
FROM connections
WHERE id > $1
ORDER BY id
LIMIT $2;

-- name: list_enabled_connections
-- What log-in pages offer.
SELECT id, name FROM connections WHERE is_enabled ORDER BY name, id LIMIT $1;

-- name: delete_connection
-- Remove a connection; identities stay, but there is no way in by them any more.
DELETE FROM connections WHERE id = $1 RETURNING id;

-- name: delete_attempts
-- Forget the log-ins that are on their way by a connection.
DELETE FROM federated_attempts WHERE connection_id = $1;

-- name: insert_attempt
-- A log-in that is sent to its provider.
INSERT INTO federated_attempts
    (state_hash, browser_hash, connection_id, session_id, return_to, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval);

-- name: take_attempt
-- Spend the state of a log-in that comes back to the browser and the connection it began with.
DELETE FROM federated_attempts
WHERE state_hash = $1 AND browser_hash = $2 AND connection_id = $3 AND expires_at > now()
RETURNING session_id, return_to;

-- name: delete_expired_attempts
-- Remove a batch of log-ins that never came back.
DELETE FROM federated_attempts WHERE state_hash IN (
    SELECT state_hash FROM federated_attempts WHERE expires_at <= now()
    LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: find_session_owner
-- Whose a session is, before either is locked.
SELECT user_id FROM sessions WHERE id = $1;

-- name: lock_subject
-- Let one log-in at a time decide whose an identity is.
SELECT pg_advisory_xact_lock(hashtextextended(jsonb_build_array($1::text, $2::text)::text, 9));

-- name: find_identity
-- Whose an identity is.
SELECT id, user_id FROM identities WHERE issuer = $1 AND subject = $2;

-- name: insert_identity
-- An identity of an account.
INSERT INTO identities (id, user_id, connection_id, issuer, subject, email)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: use_identity
-- Note that somebody came in by an identity, and what its provider says of it now.
UPDATE identities SET connection_id = $2, email = $3, last_used_at = now() WHERE id = $1
RETURNING id;

-- name: list_identities
-- A page of an account's identities, newest first.
SELECT identities.id, identities.connection_id, connections.name AS connection_name,
       identities.issuer, identities.subject, identities.email, identities.created_at,
       identities.last_used_at
FROM identities LEFT JOIN connections ON connections.id = identities.connection_id
WHERE user_id = $1 AND ($2::uuid IS NULL OR identities.id < $2)
ORDER BY identities.id DESC
LIMIT $3;

-- name: delete_identity
-- Remove an identity of an account.
DELETE FROM identities WHERE id = $1 AND user_id = $2 RETURNING issuer;

-- name: has_usable_identity
-- Whether an account has an identity whose connection lets people in.
SELECT EXISTS (
    SELECT FROM identities JOIN connections ON connections.id = identities.connection_id
    WHERE identities.user_id = $1 AND connections.is_enabled);
