-- name: insert_api_key
-- A new API key, of a user or of a service account.
INSERT INTO api_keys
    (id, user_id, service_account_id, name, key_hash, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, coalesce(user_id, service_account_id) AS owner_id, name, scopes, created_at,
          expires_at, last_used_at, last_used_address;

-- name: count_api_keys
-- How many API keys of a user or a service account are good.
SELECT (SELECT count(*) FROM api_keys
         WHERE user_id = $1 AND (expires_at IS NULL OR expires_at > now()))
     + (SELECT count(*) FROM api_keys
         WHERE service_account_id = $1 AND (expires_at IS NULL OR expires_at > now()));

-- name: list_api_keys
-- A page of the API keys of a user or a service account, newest first.
SELECT id, user_id AS owner_id, name, scopes, created_at, expires_at, last_used_at,
       last_used_address
FROM api_keys
WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2)
UNION ALL
SELECT id, service_account_id, name, scopes, created_at, expires_at, last_used_at,
       last_used_address
FROM api_keys
WHERE service_account_id = $1 AND ($2::uuid IS NULL OR id < $2)
ORDER BY id DESC
LIMIT $3;

-- name: rename_api_key
-- Give a key of a user or a service account another name.
UPDATE api_keys SET name = $3
WHERE id = $1 AND $2 IN (user_id, service_account_id)
RETURNING id, coalesce(user_id, service_account_id) AS owner_id, name, scopes, created_at,
          expires_at, last_used_at, last_used_address;

-- name: delete_api_key
-- Remove one API key of a user or a service account.
DELETE FROM api_keys WHERE id = $1 AND $2 IN (user_id, service_account_id)
RETURNING id, coalesce(user_id, service_account_id) AS user_id;

-- name: find_api_key
-- The key that a hash names, while it is good, and whether its owner may keep scopes that only
-- administrators give away: those of service accounts were given by one.
SELECT k.id, coalesce(k.user_id, k.service_account_id) AS owner_id, k.name, k.scopes, k.created_at,
       k.expires_at, k.last_used_at, k.last_used_address,
       k.service_account_id IS NOT NULL OR $2 = ANY (users.roles) AS keeps_all_scopes
FROM api_keys k
LEFT JOIN users ON users.id = k.user_id
LEFT JOIN service_accounts ON service_accounts.id = k.service_account_id
WHERE k.key_hash = $1 AND (k.expires_at IS NULL OR k.expires_at > now())
  AND users.disabled_at IS NULL AND service_accounts.disabled_at IS NULL;

-- name: note_api_key_use
-- Remember when and from where a key was last used, once a minute at most.
UPDATE api_keys SET last_used_at = now(), last_used_address = $2
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');

-- name: delete_expired_api_keys
-- Remove a batch of API keys that expired a month ago; until then their owner still sees them.
DELETE FROM api_keys WHERE id IN (
    SELECT id FROM api_keys WHERE expires_at <= now() - interval '30 days'
    LIMIT $1 FOR UPDATE SKIP LOCKED
);
