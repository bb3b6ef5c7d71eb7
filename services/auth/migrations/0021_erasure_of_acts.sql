-- The end of an account takes places and programs out of all that its owner did, also to others and
-- to what is nobody's, and not only out of what was done to it.
CREATE OR REPLACE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    reason text := current_setting('auth.audit_log_removal', true);
BEGIN
    IF reason = 'clean-up' AND OLD.at <= now() - interval '30 days' THEN
        RETURN OLD;
    END IF;
    IF reason = 'erasure' AND coalesce(OLD.actor_id, OLD.user_id) IS NOT NULL THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'entries of the audit log are not removed';
END $$;

-- Auth confirms like every other service; accounts that were deleted before are done as well.
CREATE INDEX account_erasures_outstanding_idx ON account_erasures (service, user_id)
    WHERE confirmed_at IS NULL;
INSERT INTO account_erasures (user_id, service) SELECT user_id, 'auth' FROM account_deletions;
