-- Whether an application can do nothing with a notice of logout that names no session. Each names
-- one; the application reads here what it was registered with.
ALTER TABLE oauth_clients
    ADD COLUMN backchannel_logout_session_required boolean NOT NULL DEFAULT false;
ALTER TABLE oauth_clients ALTER COLUMN backchannel_logout_session_required DROP DEFAULT;
