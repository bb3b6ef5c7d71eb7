-- name: has_totp
-- Whether an account has an authenticator app that counts.
SELECT EXISTS (SELECT FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL);

-- name: count_recovery_codes
-- How many recovery codes an account has left.
SELECT count(*) FROM recovery_codes WHERE user_id = $1;

-- name: insert_challenge
-- A first proof that waits for the second.
INSERT INTO factor_challenges
    (id, user_id, token_hash, first_method, token_delivery, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval);

-- name: find_challenge_owner
-- Whose log-in the live challenge of a token belongs to.
SELECT user_id FROM factor_challenges WHERE token_hash = $1 AND expires_at > now();

-- name: lock_challenge
-- The live challenge of a token, locked until it is settled.
SELECT id, user_id, first_method, token_delivery, failures
FROM factor_challenges
WHERE token_hash = $1 AND expires_at > now()
FOR UPDATE;

-- name: count_challenge_failure
-- One more wrong second proof.
UPDATE factor_challenges SET failures = failures + 1 WHERE id = $1;

-- name: delete_challenge
-- End one challenge.
DELETE FROM factor_challenges WHERE id = $1;

-- name: delete_challenges
-- End every challenge of an account.
DELETE FROM factor_challenges WHERE user_id = $1;

-- name: list_totp
-- The authenticator apps of an account, the one that waits for its confirmation last.
SELECT id, created_at, confirmed_at, last_used_at
FROM totp_factors
WHERE user_id = $1 AND (confirmed_at IS NOT NULL OR created_at > now() - $2::interval)
ORDER BY confirmed_at NULLS LAST
LIMIT 2;

-- name: lock_totp
-- The confirmed authenticator app of an account, locked so that its codes are tried one by one.
SELECT id, sealed_secret, last_used_step, extract(epoch FROM clock_timestamp())::float8 AS now
FROM totp_factors
WHERE user_id = $1 AND confirmed_at IS NOT NULL
FOR UPDATE;

-- name: lock_pending_totp
-- The app that one session has asked for and not confirmed yet, locked.
SELECT id, sealed_secret, last_used_step, extract(epoch FROM clock_timestamp())::float8 AS now
FROM totp_factors
WHERE user_id = $1 AND session_id = $2 AND confirmed_at IS NULL
  AND created_at > now() - $3::interval
FOR UPDATE;

-- name: put_pending_totp
-- An app to be confirmed, in place of one that never was.
INSERT INTO totp_factors (id, user_id, session_id, sealed_secret)
VALUES ($1, $2, $3, $4)
ON CONFLICT (user_id) WHERE confirmed_at IS NULL DO UPDATE
SET id = excluded.id, session_id = excluded.session_id, sealed_secret = excluded.sealed_secret,
    created_at = now();

-- name: use_totp_step
-- Remember the time step of a code, which is good no more.
UPDATE totp_factors SET last_used_step = $2, last_used_at = now() WHERE id = $1;

-- name: delete_confirmed_totp
-- Remove the app that counts.
DELETE FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL;

-- name: confirm_totp
-- Make an app count; the code that showed that it works is used up.
UPDATE totp_factors SET confirmed_at = now(), last_used_step = $2 WHERE id = $1;

-- name: take_recovery_code
-- Spend a recovery code, once: of several attempts at the same time one finds it.
DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2 RETURNING true;

-- name: delete_recovery_codes
-- Remove the recovery codes of an account.
DELETE FROM recovery_codes WHERE user_id = $1;

-- name: insert_recovery_codes
-- New recovery codes.
INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[]);

-- name: find_factor_failures
-- How often one network and all of them failed at an account lately, and whether its owner has a
-- session that was opened from there with a second factor.
SELECT coalesce(max(failures) FILTER (WHERE network = $2), 0) AS failures,
       coalesce(clock_timestamp() - max(last_failed_at) FILTER (WHERE network = $2), interval '0')
           AS since_last,
       coalesce(sum(failures), 0) AS everywhere,
       EXISTS (
           SELECT FROM sessions
           WHERE sessions.user_id = $1 AND address <<= $2::cidr
             AND methods && ARRAY['otp', 'recovery', 'passkey'] AND expires_at > now()
       ) AS is_known
FROM factor_failures
WHERE user_id = $1 AND last_failed_at > clock_timestamp() - $3::interval;

-- name: count_factor_failure
-- Count one more wrong code; after a quiet time the count begins anew.
INSERT INTO factor_failures AS known (user_id, network, failures, last_failed_at)
VALUES ($1, $2, 1, clock_timestamp())
ON CONFLICT ON CONSTRAINT factor_failures_pkey DO UPDATE
SET failures = CASE
        WHEN known.last_failed_at < clock_timestamp() - $3::interval THEN 1
        ELSE known.failures + 1
    END,
    last_failed_at = clock_timestamp();

-- name: forget_factor_failures
-- A network that had a right code starts with a clean sheet.
DELETE FROM factor_failures WHERE user_id = $1 AND network = $2;

-- name: was_notified
-- Whether an account's owner has been sent a notice within its lifetime.
SELECT EXISTS (SELECT FROM links WHERE user_id = $1 AND purpose = 'notice' AND template = $2);

-- name: delete_expired_challenges
-- Remove a batch of log-ins whose second proof did not come.
DELETE FROM factor_challenges WHERE id IN (
    SELECT id FROM factor_challenges WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: delete_pending_totp
-- Remove a batch of authenticator apps that nobody confirmed in time.
DELETE FROM totp_factors WHERE id IN (
    SELECT id FROM totp_factors
    WHERE confirmed_at IS NULL AND created_at <= now() - $2::interval
    LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: delete_old_factor_failures
-- Remove a batch of failures that no longer count.
DELETE FROM factor_failures WHERE (user_id, network) IN (
    SELECT user_id, network FROM factor_failures
    WHERE last_failed_at <= clock_timestamp() - $2::interval
    LIMIT $1 FOR UPDATE SKIP LOCKED
);
