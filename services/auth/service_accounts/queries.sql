-- name: lock_making_service_accounts
-- Let one transaction at a time make a service account.
SELECT pg_advisory_xact_lock(hashtextextended('auth.service_accounts', 0));

-- name: count_service_accounts
-- How many service accounts there are.
SELECT count(*) FROM service_accounts;

-- name: insert_service_account
-- A new service account; no row if its name is taken.
INSERT INTO service_accounts (id, name, description, created_by) VALUES ($1, $2, $3, $4)
ON CONFLICT ON CONSTRAINT service_accounts_name_key DO NOTHING
RETURNING id, name, description, created_by, created_at, disabled_at;

-- name: list_service_accounts
-- A page of service accounts, newest first.
SELECT id, name, description, created_by, created_at, disabled_at FROM service_accounts
WHERE $1::uuid IS NULL OR id < $1
ORDER BY id DESC
LIMIT $2;

-- name: find_service_account
-- One service account.
SELECT id, name, description, created_by, created_at, disabled_at FROM service_accounts
WHERE id = $1;

-- name: lock_service_account
-- One service account, locked for a change.
SELECT id, name, description, created_by, created_at, disabled_at FROM service_accounts
WHERE id = $1 FOR UPDATE;

-- name: set_service_account_disabled
-- Disable a service account or enable it again; no row if it is so already.
UPDATE service_accounts SET disabled_at = CASE WHEN $2 THEN now() END
WHERE id = $1 AND (disabled_at IS NOT NULL) <> $2
RETURNING id;

-- name: list_service_account_keys
-- The API keys of a service account, whose tokens are to be refused.
SELECT id, service_account_id AS user_id FROM api_keys WHERE service_account_id = $1;

-- name: delete_service_account_keys
-- Remove the API keys of a service account.
DELETE FROM api_keys WHERE service_account_id = $1 RETURNING id, service_account_id AS user_id;

-- name: delete_service_account
-- Remove a service account whose keys are gone.
DELETE FROM service_accounts WHERE id = $1;
