-- name: insert_user
-- A new account, its address verified.
INSERT INTO users (id, email, name, password_hash, roles)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, email, name, password_hash, roles, created_at, disabled_at;

-- name: find_user
-- One account by its id.
SELECT id, email, name, password_hash, roles, created_at, disabled_at FROM users WHERE id = $1;

-- name: hold_user
-- One account by its id as it is until the transaction ends: whoever locks it to change how it is
-- entered comes before or after.
SELECT id, email, name, password_hash, roles, created_at, disabled_at FROM users WHERE id = $1
FOR KEY SHARE;

-- name: lock_user
-- One account, locked for a change.
SELECT id, email, name, password_hash, roles, created_at, disabled_at
FROM users WHERE id = $1 FOR UPDATE;

-- name: find_user_by_email
-- One account by its normalised address.
SELECT id, email, name, password_hash, roles, created_at, disabled_at FROM users WHERE email = $1;

-- name: hold_user_by_email
-- One account by its normalised address, as it is until the transaction ends.
SELECT id, email, name, password_hash, roles, created_at, disabled_at FROM users WHERE email = $1
FOR KEY SHARE;

-- name: lock_user_by_email
-- One account by its normalised address, locked for a change.
SELECT id, email, name, password_hash, roles, created_at, disabled_at FROM users WHERE email = $1 FOR UPDATE;

-- name: rename_user
-- Change the name of an account.
UPDATE users SET name = $2, updated_at = now() WHERE id = $1
RETURNING id, email, name, password_hash, roles, created_at, disabled_at;

-- name: grant_role
-- Add a role to an account that may hold it already.
UPDATE users
SET roles = array_append(array_remove(roles, $2), $2), updated_at = now()
WHERE id = $1;

-- name: set_password
-- Replace the password of an account.
UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1;

-- name: insert_imported_users
-- Accounts of another system, save those whose address has one already.
INSERT INTO users (id, email, name, password_hash, created_at)
SELECT id, email, name, password_hash, coalesce(created_at, now())
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
     AS given (id, email, name, password_hash, created_at)
ON CONFLICT ON CONSTRAINT users_email_key DO NOTHING;

-- name: replace_password_hash
-- Store a password under another hash, unless it was changed meanwhile.
UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2;

-- name: insert_signup
-- One attempt to sign up.
INSERT INTO signups (id, email, name, password_hash, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::interval);

-- name: insert_signup_link
-- The link of one attempt to sign up; it lives as long as the attempt.
INSERT INTO links (id, purpose, token_hash, signup_id, expires_at)
VALUES ($1, 'signup', $2, $3, now() + $4::interval);

-- name: find_link
-- What a mail about a link needs, and the account that has the address now, if any.
SELECT links.id, links.purpose, links.expires_at, coalesce(signups.email, links.email) AS email,
       signups.name, users.id IS NOT NULL AS account_exists, users.name AS account_name,
       links.signup_id IS NOT NULL AS is_signup, links.template, links.template_otherwise,
       links.template_taken, links.path, links.has_code, links.variables,
       EXISTS (SELECT FROM users AS holder
               WHERE holder.email = links.email AND holder.id <> links.user_id) AS is_taken
FROM links
LEFT JOIN signups ON signups.id = links.signup_id
LEFT JOIN users ON CASE WHEN links.user_id IS NULL
                        THEN users.email = coalesce(signups.email, links.email)
                        ELSE users.id = links.user_id END
WHERE links.id = $1 AND links.expires_at > now();

-- name: lock_signups_beside
-- Every pending attempt for the address of one link, locked in one order: redemptions of two
-- links for one address wait for each other instead of deadlocking.
SELECT signups.id
FROM signups
WHERE signups.email = (
    SELECT named.email FROM links JOIN signups AS named ON named.id = links.signup_id
    WHERE links.token_hash = $1
)
ORDER BY signups.id
FOR UPDATE;

-- name: take_signup
-- Remove the attempt that a link names and return it; a second redemption finds nothing.
DELETE FROM signups
USING links
WHERE links.token_hash = $1 AND links.expires_at > now() AND signups.id = links.signup_id
RETURNING signups.id, signups.email, signups.name, signups.password_hash;

-- name: delete_signups
-- Remove every pending attempt for an address, links included.
DELETE FROM signups WHERE email = $1;

-- name: insert_session
-- Open a session, and say what its tokens carry besides roles.
INSERT INTO sessions
    (id, user_id, token_delivery, idle_expires_at, expires_at, user_agent, address, methods,
     impersonator_id, organisation_id, organisation_ids)
VALUES ($1, $2, $3, now() + $4::interval, now() + $5::interval, $6, $7, $8, $9, $10,
        array_remove(ARRAY[$10::uuid], NULL))
RETURNING id, user_id, token_delivery, refresh_counter, refreshed_at, idle_expires_at,
          expires_at, user_agent, address, last_used_address, created_at, methods,
          authenticated_at, impersonator_id,
          organisation_id,
          (SELECT member.role FROM organisation_members AS member
            WHERE member.organisation_id = sessions.organisation_id
              AND member.user_id = sessions.user_id) AS organisation_role,
          ARRAY(SELECT DISTINCT permission FROM roles CROSS JOIN unnest(permissions) AS permission
                WHERE roles.name = ANY ((SELECT held.roles FROM users AS held WHERE held.id = sessions.user_id)::text[])) AS permissions;

-- name: rotate_session
-- Replace the current refresh token of a live session; no row means the slow path decides.
UPDATE sessions
SET refresh_counter = refresh_counter + 1,
    refreshed_at = now(),
    idle_expires_at = least(now() + $3::interval, expires_at),
    last_used_address = coalesce($4, last_used_address)
FROM users
WHERE sessions.id = $1 AND sessions.refresh_counter = $2
  AND sessions.idle_expires_at > now() AND sessions.expires_at > now()
  AND users.id = sessions.user_id AND users.disabled_at IS NULL
RETURNING sessions.id, sessions.user_id, sessions.token_delivery, sessions.refresh_counter,
          sessions.refreshed_at, sessions.idle_expires_at, sessions.expires_at,
          sessions.user_agent, sessions.address, sessions.last_used_address, sessions.created_at,
          sessions.methods,
          sessions.authenticated_at, sessions.impersonator_id, sessions.organisation_id,
          (SELECT member.role FROM organisation_members AS member
            WHERE member.organisation_id = sessions.organisation_id
              AND member.user_id = sessions.user_id) AS organisation_role,
          ARRAY(SELECT DISTINCT permission FROM roles CROSS JOIN unnest(permissions) AS permission
                WHERE roles.name = ANY (users.roles)) AS permissions,
          users.email, users.name, users.password_hash, users.roles, users.disabled_at,
          users.created_at AS user_created_at;

-- name: lock_session
-- A live session with its account, locked, and how long ago its refresh token was replaced.
SELECT sessions.id, sessions.user_id, sessions.token_delivery, sessions.refresh_counter,
       sessions.refreshed_at, sessions.idle_expires_at, sessions.expires_at,
       sessions.user_agent, sessions.address, sessions.last_used_address, sessions.created_at,
          sessions.methods,
       sessions.authenticated_at, sessions.impersonator_id, sessions.organisation_id,
       (SELECT member.role FROM organisation_members AS member
         WHERE member.organisation_id = sessions.organisation_id
           AND member.user_id = sessions.user_id) AS organisation_role,
       ARRAY(SELECT DISTINCT permission FROM roles CROSS JOIN unnest(permissions) AS permission
             WHERE roles.name = ANY (users.roles)) AS permissions,
       users.email, users.name, users.password_hash, users.roles, users.disabled_at,
       users.created_at AS user_created_at,
       clock_timestamp() - sessions.refreshed_at AS since_refresh
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1 AND sessions.idle_expires_at > now() AND sessions.expires_at > now()
FOR UPDATE OF sessions;

-- name: choose_organisation
-- Let the tokens of a session, which is locked, name another organisation from now on, or none.
UPDATE sessions
SET organisation_id = $2,
    organisation_ids = CASE WHEN $2::uuid IS NULL OR $2 = ANY (organisation_ids)
                            THEN organisation_ids ELSE organisation_ids || $2::uuid END
FROM users
WHERE sessions.id = $1 AND users.id = sessions.user_id
RETURNING sessions.id, sessions.user_id, sessions.token_delivery, sessions.refresh_counter,
          sessions.refreshed_at, sessions.idle_expires_at, sessions.expires_at,
          sessions.user_agent, sessions.address, sessions.last_used_address, sessions.created_at,
          sessions.methods,
          sessions.authenticated_at, sessions.impersonator_id, sessions.organisation_id,
          (SELECT member.role FROM organisation_members AS member
            WHERE member.organisation_id = sessions.organisation_id
              AND member.user_id = sessions.user_id) AS organisation_role,
          ARRAY(SELECT DISTINCT permission FROM roles CROSS JOIN unnest(permissions) AS permission
                WHERE roles.name = ANY (users.roles)) AS permissions;

-- name: list_sessions
-- A page of a user's live sessions, newest first.
SELECT id, user_id, token_delivery, refresh_counter, refreshed_at, idle_expires_at, expires_at,
       user_agent, address, last_used_address, created_at, methods, authenticated_at,
       impersonator_id, organisation_id
FROM sessions
WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2)
  AND idle_expires_at > now() AND expires_at > now()
ORDER BY id DESC
LIMIT $3;

-- name: end_session
-- End one session of a user.
DELETE FROM sessions WHERE id = $1 AND user_id = $2 RETURNING id, user_id;

-- name: end_other_sessions
-- End every session of a user but one, and those opened by the user in the name of others; without
-- that one, all of them.
DELETE FROM sessions
WHERE id IN (
    SELECT id FROM sessions
    WHERE (user_id = $1 OR impersonator_id = $1) AND ($2::uuid IS NULL OR id <> $2)
    ORDER BY id
    FOR UPDATE
)
RETURNING id, user_id;

-- name: end_surplus_sessions
-- End the sessions of a user beyond a number, those that were not used for longest. Those within it
-- are counted apart: a lock would be on the rows that OFFSET passes over too.
DELETE FROM sessions
WHERE id IN (
    SELECT id FROM sessions
    WHERE id IN (
        SELECT id FROM sessions
        WHERE user_id = $1
        ORDER BY refreshed_at DESC, id DESC
        OFFSET $2
    )
    FOR UPDATE SKIP LOCKED
)
RETURNING id, user_id;

-- name: insert_revocations
-- Forbid the access tokens of ended sessions until the last of them has expired. A key that was
-- good again in between is refused anew.
INSERT INTO revocations (session_id, expires_at)
SELECT session_id, now() + $2::interval
FROM unnest($1::uuid[]) AS ended (session_id)
ON CONFLICT ON CONSTRAINT revocations_pkey DO UPDATE
SET expires_at = greatest(revocations.expires_at, excluded.expires_at),
    recorded_by = pg_current_xact_id();

-- name: revocation_position
-- Where a reader of revocations stands: every transaction below it has ended. The history
-- tells a restored or replaced database apart, in which old positions mean nothing.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS position,
       (SELECT system_identifier::text FROM pg_control_system())
       || '-' || (SELECT timeline_id::text FROM pg_control_checkpoint()) AS history;

-- name: list_revocations
-- Live revocations that were written at or after a position.
SELECT session_id, expires_at
FROM revocations
WHERE recorded_by >= $1::bigint::text::xid8 AND expires_at > now()
ORDER BY session_id;

-- name: count_login_failure
-- Count one more failure; after a quiet time the count begins anew.
INSERT INTO login_failures AS known (account, network, failures, last_failed_at)
VALUES ($1, $2, 1, clock_timestamp())
ON CONFLICT ON CONSTRAINT login_failures_pkey DO UPDATE
SET failures = CASE
        WHEN known.last_failed_at < clock_timestamp() - $3::interval THEN 1
        ELSE known.failures + 1
    END,
    last_failed_at = clock_timestamp()
RETURNING failures;

-- name: forget_login_failures
-- A network that knew the password starts with a clean sheet.
DELETE FROM login_failures WHERE account = $1 AND network = $2;

-- name: lock_signing_keys
-- Hold off every other process that would make the first signing key.
SELECT pg_advisory_xact_lock(hashtextextended('auth.signing_keys', 0));

-- name: list_signing_keys
-- Every signing key whose tokens may be about, the one that signs last first.
SELECT id, algorithm, private_key, activates_at
FROM signing_keys
WHERE retires_at IS NULL OR retires_at > now()
ORDER BY activates_at DESC, id;

-- name: insert_signing_key
-- A new signing key, its private half encrypted.
INSERT INTO signing_keys (id, algorithm, private_key, activates_at)
VALUES ($1, $2, $3, now() + $4::interval)
RETURNING id, algorithm, private_key, activates_at;

-- name: signing_keys_are_older_than
-- Whether the newest signing key of an algorithm has signed for so long.
SELECT coalesce(max(activates_at) < now() - $1::interval, true) FROM signing_keys
WHERE algorithm = $2;

-- name: retire_signing_keys
-- Say when the keys that another one replaces are published no more.
UPDATE signing_keys SET retires_at = now() + $2::interval
WHERE algorithm = $1 AND retires_at IS NULL;

-- name: delete_retired_signing_keys
-- Remove the keys that are published no more.
DELETE FROM signing_keys WHERE retires_at <= now();

-- name: delete_expired_signups
-- Remove a batch of attempts that nobody confirmed in time.
DELETE FROM signups WHERE id IN (
    SELECT id FROM signups WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: delete_expired_links
-- Forget mails whose time is over; those of sign-ups go with them.
DELETE FROM links WHERE id IN (
    SELECT id FROM links WHERE signup_id IS NULL AND expires_at <= now()
    LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: delete_expired_sessions
-- Remove a batch of sessions that reached the end of their life.
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: delete_expired_revocations
-- Remove a batch of revocations whose last access token has expired.
DELETE FROM revocations WHERE session_id IN (
    SELECT session_id FROM revocations WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: delete_old_login_failures
-- Remove a batch of failures that no longer count.
DELETE FROM login_failures WHERE (account, network) IN (
    SELECT account, network FROM login_failures
    WHERE last_failed_at < clock_timestamp() - $2::interval
    LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: find_password_cost
-- The work factor that was measured here.
SELECT cost FROM password_cost;

-- name: keep_password_cost
-- Keep a measured work factor, unless somebody was first; returns the one that counts.
WITH inserted AS (
    INSERT INTO password_cost (cost) VALUES ($1)
    ON CONFLICT ON CONSTRAINT password_cost_pkey DO UPDATE SET cost = password_cost.cost
    RETURNING cost
)
SELECT cost FROM inserted;
