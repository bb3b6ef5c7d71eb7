-- name: insert_audit_entries
-- One act, as often as there are ids and details.
INSERT INTO audit_log (id, action, actor_id, user_id, session_id, address, user_agent, details)
SELECT id, $2, $3, $4, $5, $6, $7, details
FROM unnest($1::uuid[], $8::jsonb[]) AS done (id, details);

-- name: allow_removal
-- Let this transaction, and no other, remove entries for a reason that the log accepts.
SELECT set_config('auth.audit_log_removal', $1, true);

-- name: delete_old_entries
-- Remove a batch of the oldest entries. Ids grow with the time they were made at, so they are found
-- without an index of their own; the time itself decides.
DELETE FROM audit_log WHERE id IN (
    SELECT id FROM audit_log
    WHERE id < $1 AND at < now() - $2::interval
    ORDER BY id
    LIMIT $3 FOR UPDATE SKIP LOCKED
);
