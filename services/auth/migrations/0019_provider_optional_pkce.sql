-- Whether an application has to send PKCE; only one with a secret may be let off. The default stays
-- for processes of the last release, which do not name the column.
ALTER TABLE oauth_clients
    ADD COLUMN require_pkce boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT oauth_clients_public_require_pkce
        CHECK (require_pkce OR secret_hash IS NOT NULL);
ALTER TABLE oauth_codes ALTER COLUMN code_challenge DROP NOT NULL;
