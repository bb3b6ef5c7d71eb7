-- What protects accounts from guessers and their owners from surprises: devices that are known,
-- failures of strangers, and a log that is only ever shortened at its old end.

-- `device_hash` is a MAC of the cookie that names a browser, or of the kind of program and the
-- neighbourhood it came from where there are no cookies. `network` is where it was last.
CREATE TABLE known_devices (
    user_id       uuid        NOT NULL CONSTRAINT known_devices_user_id_fkey
                                       REFERENCES users ON DELETE CASCADE,
    device_hash   bytea       NOT NULL,
    network       cidr        NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT known_devices_pkey PRIMARY KEY (user_id, device_hash),
    CONSTRAINT known_devices_device_hash_length CHECK (octet_length(device_hash) = 32)
);
CREATE INDEX known_devices_network_idx ON known_devices (user_id, network);
CREATE INDEX known_devices_last_seen_at_idx ON known_devices (last_seen_at);

-- When the first session was opened: nobody is told by mail of that one. Who had an account before
-- this was written is told from the second one on.
ALTER TABLE users ADD COLUMN entered_at timestamptz;

-- Failures of devices that never logged in to an account, from all networks together. `account` is
-- the MAC of `login_failures`, so the table does not tell which addresses have an account.
CREATE TABLE stranger_failures (
    account        bytea       CONSTRAINT stranger_failures_pkey PRIMARY KEY,
    failures       integer     NOT NULL,
    last_failed_at timestamptz NOT NULL,
    last_let_in_at timestamptz,
    CONSTRAINT stranger_failures_account_length CHECK (octet_length(account) = 32),
    CONSTRAINT stranger_failures_failures_positive CHECK (failures > 0)
);
CREATE INDEX stranger_failures_last_failed_at_idx ON stranger_failures (last_failed_at);

-- Entries leave the log in two ways alone, each of which says so to its transaction: the clean-up
-- takes old ones, and the erasure of an account writes its own anew without places and programs.
CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    reason text := current_setting('auth.audit_log_removal', true);
BEGIN
    IF reason = 'clean-up' AND OLD.at <= now() - interval '30 days' THEN
        RETURN OLD;
    END IF;
    IF reason = 'erasure' AND OLD.user_id IS NOT NULL THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'entries of the audit log are not removed';
END $$;
CREATE TRIGGER audit_log_is_kept BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_removal();
