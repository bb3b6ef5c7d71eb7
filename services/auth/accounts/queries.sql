-- name: delete_api_keys
-- Remove the API keys of an account.
DELETE FROM api_keys WHERE user_id = $1 RETURNING id, user_id;

-- name: delete_mails
-- Forget every mail about an account or to its address. One whose link is being redeemed in this
-- moment is passed over: whoever redeems it waits for this account and finds it gone.
DELETE FROM links WHERE id IN (
    SELECT id FROM links WHERE (user_id = $1 OR email = $2) AND signup_id IS NULL
    FOR UPDATE SKIP LOCKED
);

-- name: strip_audit_log
-- Take from a page of somebody's entries where they were and what they used; that it was done
-- stays. Theirs are what they did, to whomever, and what was done to them where nobody knows who it
-- was: failed log-ins. Where others were stays with their acts. The entries are written anew,
-- because those of the log are never changed. Returns the last entry of the page.
-- Each half has an index and is read no further than the page may reach; with OR, each page could
-- take reading all that there is of somebody.
WITH page AS (
    (SELECT id FROM audit_log WHERE actor_id = $1 AND id > $2 ORDER BY id LIMIT $3)
    UNION
    (SELECT id FROM audit_log WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3)
    ORDER BY id LIMIT $3
), removed AS (
    DELETE FROM audit_log USING page
    WHERE audit_log.id = page.id AND coalesce(actor_id, $1) = $1
      AND (address IS NOT NULL OR user_agent IS NOT NULL)
    RETURNING audit_log.id, at, action, actor_id, user_id, session_id, details
), written AS (
    INSERT INTO audit_log (id, at, action, actor_id, user_id, session_id, details)
    SELECT id, at, action, actor_id, user_id, session_id, details FROM removed
)
SELECT id FROM page ORDER BY id DESC LIMIT 1;

-- name: delete_user
-- Remove an account and what hangs on it.
DELETE FROM users WHERE id = $1;

-- name: insert_deletion
-- Remember that an account was deleted and by whom.
INSERT INTO account_deletions (user_id, actor_id, email, farewell_link_id)
VALUES ($1, $2, $3, $4);

-- name: insert_erasures
-- Remember which services have to confirm a deletion.
INSERT INTO account_erasures (user_id, service)
SELECT $1, service FROM unnest($2::text[]) AS expected (service);

-- name: find_traces
-- By what mail finds the messages to somebody whose account was deleted, until all have confirmed.
SELECT email, farewell_link_id FROM account_deletions
WHERE user_id = $1 AND completed_at IS NULL AND email IS NOT NULL;

-- name: find_unerased
-- A deletion of some time ago that a service has not confirmed.
SELECT user_id FROM account_erasures JOIN account_deletions USING (user_id)
WHERE service = $1 AND confirmed_at IS NULL AND requested_at <= now() - $2::interval
ORDER BY user_id
LIMIT 1;

-- name: lock_deletion
-- A deletion, locked: confirmations that come together are counted one by one.
SELECT user_id FROM account_deletions WHERE user_id = $1 FOR UPDATE;

-- name: confirm_erasure
-- Note that a service has kept nothing; no row if it had said so before or was not asked.
UPDATE account_erasures SET confirmed_at = now()
WHERE user_id = $1 AND service = $2 AND confirmed_at IS NULL
RETURNING service;

-- name: complete_deletion
-- Every service has confirmed, if none is outstanding: the address is forgotten here too.
UPDATE account_deletions SET completed_at = now(), email = NULL
WHERE user_id = $1 AND completed_at IS NULL AND NOT EXISTS (
    SELECT FROM account_erasures WHERE user_id = $1 AND confirmed_at IS NULL)
RETURNING user_id;

-- name: list_deletions
-- A page of deletions, newest first, with what each service has confirmed.
SELECT user_id, actor_id, requested_at, completed_at,
       (SELECT jsonb_object_agg(service, confirmed_at) FROM account_erasures
        WHERE account_erasures.user_id = account_deletions.user_id) AS confirmations
FROM account_deletions
WHERE ($1::uuid IS NULL OR user_id < $1)
  AND ($3::boolean IS NULL OR (completed_at IS NULL) = $3)
ORDER BY user_id DESC
LIMIT $2;

-- name: count_overdue_deletions
-- How many deletions some service has not confirmed for so long, and which services those are.
SELECT count(DISTINCT user_id) AS deletions, array_agg(DISTINCT service ORDER BY service) AS services
FROM account_erasures JOIN account_deletions USING (user_id)
WHERE completed_at IS NULL AND confirmed_at IS NULL AND requested_at < now() - $1::interval;

-- name: delete_old_deletions
-- Remove a batch of records of deletions that every service confirmed long ago.
DELETE FROM account_deletions WHERE user_id IN (
    SELECT user_id FROM account_deletions WHERE completed_at <= now() - $2::interval
    LIMIT $1 FOR UPDATE SKIP LOCKED
);
