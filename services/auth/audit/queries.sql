-- name: insert_audit_entry
-- One act.
INSERT INTO audit_log (id, action, actor_id, user_id, session_id, address, user_agent, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
