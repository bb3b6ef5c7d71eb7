-- name: lock_account_of_link
-- The account that a good link is about, locked before its links are: everything that changes an
-- account takes its row first, so that nobody waits for one who waits for them.
SELECT users.id, users.email, users.name, users.password_hash, users.roles, users.created_at,
       users.disabled_at
FROM links JOIN users ON users.id = links.user_id
WHERE links.token_hash = $1 AND links.purpose = $2 AND links.expires_at > now()
FOR UPDATE OF users;

-- name: replace_email_change
-- Begin to change an address; an earlier attempt is forgotten.
INSERT INTO email_changes (id, user_id, session_id, new_email, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::interval)
ON CONFLICT ON CONSTRAINT email_changes_user_id_key DO UPDATE
SET id = excluded.id, session_id = excluded.session_id, new_email = excluded.new_email,
    old_confirmed_at = NULL, new_confirmed_at = NULL,
    created_at = now(), expires_at = excluded.expires_at;

-- name: confirm_email_change
-- Note that the old or the new address has confirmed, if the change is still wanted.
UPDATE email_changes
SET old_confirmed_at = CASE WHEN $2 = 'old' THEN now() ELSE old_confirmed_at END,
    new_confirmed_at = CASE WHEN $2 = 'new' THEN now() ELSE new_confirmed_at END
WHERE id = $1 AND expires_at > now()
RETURNING session_id, new_email,
          old_confirmed_at IS NOT NULL AND new_confirmed_at IS NOT NULL AS is_complete;

-- name: delete_email_change
-- Forget the change of an account's address.
DELETE FROM email_changes WHERE user_id = $1 RETURNING id;

-- name: set_email
-- Move an account to another address.
UPDATE users SET email = $2, updated_at = now() WHERE id = $1;

-- name: delete_expired_email_changes
-- Remove a batch of changes that were not confirmed in time.
DELETE FROM email_changes WHERE id IN (
    SELECT id FROM email_changes WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED
);
