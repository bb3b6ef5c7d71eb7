-- name: put_challenge
-- A challenge, in place of the one that its holder was given before for the same.
INSERT INTO passkey_challenges (challenge_hash, purpose, user_id, holder, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::interval)
ON CONFLICT ON CONSTRAINT passkey_challenges_holder_key DO UPDATE
SET challenge_hash = excluded.challenge_hash, user_id = excluded.user_id,
    expires_at = excluded.expires_at;

-- name: take_challenge
-- Spend a challenge, once, and only for whom and for what it was given out.
DELETE FROM passkey_challenges
WHERE challenge_hash = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3
  AND holder IS NOT DISTINCT FROM $4 AND expires_at > now()
RETURNING true;

-- name: has_passkeys
-- Whether an account has a passkey.
SELECT EXISTS (SELECT FROM passkeys WHERE user_id = $1);

-- name: list_credentials
-- The passkeys of an account as browsers know them.
SELECT credential_id, transports FROM passkeys WHERE user_id = $1 ORDER BY id LIMIT $2;

-- name: list_passkeys
-- The passkeys of an account, newest first.
SELECT id, name, created_at, last_used_at, is_backed_up
FROM passkeys
WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC
LIMIT $3;

-- name: insert_passkey
-- A new passkey; no row for a credential that is known already.
INSERT INTO passkeys
    (id, user_id, credential_id, public_key, sign_count, transports, is_backed_up, name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT ON CONSTRAINT passkeys_credential_id_key DO NOTHING
RETURNING id, name, created_at, last_used_at, is_backed_up;

-- name: lock_passkey
-- The passkey of a credential, locked so that its counter is compared one use after the other.
SELECT id, user_id, public_key, sign_count FROM passkeys WHERE credential_id = $1 FOR UPDATE;

-- name: use_passkey
-- Remember a use.
UPDATE passkeys SET sign_count = $2, is_backed_up = $3, last_used_at = now() WHERE id = $1;

-- name: rename_passkey
-- Give a passkey of an account another name.
UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2
RETURNING id, name, created_at, last_used_at, is_backed_up;

-- name: delete_passkey
-- Remove a passkey of an account and return its name.
DELETE FROM passkeys WHERE id = $1 AND user_id = $2 RETURNING name;

-- name: delete_expired_passkey_challenges
-- Remove a batch of challenges that nobody signed in time.
DELETE FROM passkey_challenges WHERE challenge_hash IN (
    SELECT challenge_hash FROM passkey_challenges
    WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED
);
