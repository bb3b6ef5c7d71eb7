-- name: list_users
-- A page of accounts, newest first.
SELECT id, email, name, password_hash, roles, created_at, disabled_at
FROM users
WHERE ($1::uuid IS NULL OR id < $1)
  AND ($3::text IS NULL OR (roles <> '{}' AND $3 = ANY (roles)))
  AND ($4::boolean IS NULL OR (disabled_at IS NOT NULL) = $4)
ORDER BY id DESC
LIMIT $2;

-- name: search_users
-- A page of the first two hundred accounts each whose address or name begins so, newest first. The
-- bounds are compared byte by byte, as the indexes are ordered: a LIKE with a parameter would read
-- them only until the server settles on one plan for all patterns.
WITH found AS (
    (SELECT id, email, name, password_hash, roles, created_at, disabled_at
       FROM users WHERE email ~>=~ $5 AND email ~<~ $6
      ORDER BY email USING ~<~ LIMIT 200)
    UNION
    (SELECT id, email, name, password_hash, roles, created_at, disabled_at
       FROM users WHERE name IS NOT NULL AND lower(name) ~>=~ $5 AND lower(name) ~<~ $6
      ORDER BY lower(name) USING ~<~ LIMIT 200))
SELECT id, email, name, password_hash, roles, created_at, disabled_at
FROM found
WHERE ($1::uuid IS NULL OR id < $1)
  AND ($3::text IS NULL OR $3 = ANY (roles))
  AND ($4::boolean IS NULL OR (disabled_at IS NOT NULL) = $4)
ORDER BY id DESC
LIMIT $2;

-- name: read_user
-- What an administrator sees of an account besides its profile.
SELECT disabled_reason, password_hash IS NOT NULL AS has_password,
       (SELECT count(*) FROM sessions
         WHERE user_id = $1 AND idle_expires_at > now() AND expires_at > now()) AS sessions,
       (SELECT count(*) FROM api_keys WHERE user_id = $1) AS api_keys
FROM users WHERE id = $1;

-- name: lock_administrators
-- Let one transaction at a time take an administrator away.
SELECT pg_advisory_xact_lock(hashtextextended('auth.administrators', 0));

-- name: is_other_administrator
-- Whether somebody else administers this installation.
SELECT EXISTS (
    SELECT FROM users
    WHERE roles <> '{}' AND $2 = ANY (roles) AND disabled_at IS NULL AND id <> $1);

-- name: set_roles
-- Replace the roles of an account.
UPDATE users SET roles = $2, updated_at = now() WHERE id = $1;

-- name: disable_user
-- Let nobody in by this account.
UPDATE users SET disabled_at = now(), disabled_reason = $2, updated_at = now()
WHERE id = $1 AND disabled_at IS NULL
RETURNING id;

-- name: enable_user
-- Let its owner in again.
UPDATE users SET disabled_at = NULL, disabled_reason = NULL, updated_at = now()
WHERE id = $1 AND disabled_at IS NOT NULL
RETURNING id;

-- name: list_key_ids
-- The API keys of an account, whose tokens are to be refused.
SELECT id, user_id FROM api_keys WHERE user_id = $1;

-- name: list_audit_entries
-- A page of acts, newest first.
SELECT id, at, action, actor_id, user_id, session_id, address, user_agent, details
FROM audit_log
WHERE id < $1 AND ($3::uuid IS NULL OR user_id = $3) AND ($4::uuid IS NULL OR actor_id = $4)
  AND ($5::text IS NULL OR action = $5)
ORDER BY id DESC
LIMIT $2;

-- name: list_audit_entries_of_user
-- The same of one user. Each filter that an index serves has a statement of its own, so that the
-- one plan which the server settles on reads that index.
SELECT id, at, action, actor_id, user_id, session_id, address, user_agent, details
FROM audit_log
WHERE user_id = $3 AND id < $1 AND ($4::uuid IS NULL OR actor_id = $4)
  AND ($5::text IS NULL OR action = $5)
ORDER BY id DESC
LIMIT $2;

-- name: list_audit_entries_of_actor
-- The same by one actor.
SELECT id, at, action, actor_id, user_id, session_id, address, user_agent, details
FROM audit_log
WHERE actor_id = $4 AND id < $1 AND ($3::uuid IS NULL OR user_id = $3)
  AND ($5::text IS NULL OR action = $5)
ORDER BY id DESC
LIMIT $2;

-- name: list_audit_entries_of_action
-- The same of one kind.
SELECT id, at, action, actor_id, user_id, session_id, address, user_agent, details
FROM audit_log
WHERE action = $5 AND id < $1 AND ($3::uuid IS NULL OR user_id = $3)
  AND ($4::uuid IS NULL OR actor_id = $4)
ORDER BY id DESC
LIMIT $2;
