-- Organisations with members and invitations, permissions of roles, and accounts of programs.

CREATE TABLE organisations (
    id                uuid        CONSTRAINT organisations_pkey PRIMARY KEY,
    name              text        NOT NULL,
    slug              text        NOT NULL CONSTRAINT organisations_slug_key UNIQUE,
    created_at        timestamptz NOT NULL DEFAULT now(),
    invitations_since timestamptz NOT NULL DEFAULT now(),
    invitations_sent  integer     NOT NULL DEFAULT 0,
    CONSTRAINT organisations_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT organisations_slug_form CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$'),
    CONSTRAINT organisations_invitations_positive CHECK (invitations_sent >= 0)
);

-- A membership ends only after the sessions that name its organisation: see the key of sessions.
CREATE TABLE organisation_members (
    id              uuid        NOT NULL CONSTRAINT organisation_members_id_key UNIQUE,
    organisation_id uuid        NOT NULL CONSTRAINT organisation_members_organisation_id_fkey
                                REFERENCES organisations ON DELETE CASCADE,
    user_id         uuid        NOT NULL CONSTRAINT organisation_members_user_id_fkey
                                REFERENCES users ON DELETE CASCADE,
    role            text        NOT NULL,
    joined_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organisation_members_pkey PRIMARY KEY (organisation_id, user_id),
    CONSTRAINT organisation_members_role_known CHECK (role IN ('owner', 'admin', 'member'))
);
CREATE INDEX organisation_members_page_idx ON organisation_members (organisation_id, id);
CREATE INDEX organisation_members_user_id_idx ON organisation_members (user_id, organisation_id);

-- An invitation lives and dies with the link that was mailed for it. It belongs to an address, not
-- to an account: there may be none yet.
CREATE TABLE invitations (
    id              uuid        CONSTRAINT invitations_pkey PRIMARY KEY
                                CONSTRAINT invitations_id_fkey REFERENCES links ON DELETE CASCADE,
    organisation_id uuid        NOT NULL CONSTRAINT invitations_organisation_id_fkey
                                REFERENCES organisations ON DELETE CASCADE,
    email           text        NOT NULL,
    role            text        NOT NULL,
    invited_by      uuid        NOT NULL CONSTRAINT invitations_invited_by_fkey
                                REFERENCES users ON DELETE CASCADE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invitations_address_key UNIQUE (organisation_id, email),
    CONSTRAINT invitations_role_known CHECK (role IN ('owner', 'admin', 'member'))
);
CREATE INDEX invitations_page_idx ON invitations (organisation_id, id);
CREATE INDEX invitations_invited_by_idx ON invitations (invited_by);

-- `organisation_id` is what the session's tokens name now, `organisation_ids` what any of them ever
-- named: a session ends with the membership in each of these.
ALTER TABLE sessions
    ADD COLUMN organisation_id  uuid,
    ADD COLUMN organisation_ids uuid[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT sessions_membership_fkey FOREIGN KEY (organisation_id, user_id)
        REFERENCES organisation_members (organisation_id, user_id),
    ADD CONSTRAINT sessions_organisation_remembered
        CHECK (organisation_id IS NULL OR organisation_id = ANY (organisation_ids));

-- What the holders of a role may do. Applications decide what the names mean.
CREATE TABLE roles (
    name        text        CONSTRAINT roles_pkey PRIMARY KEY,
    description text        NOT NULL DEFAULT '',
    permissions text[]      NOT NULL DEFAULT '{}',
    is_built_in boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT roles_name_form CHECK (name ~ '^[a-z][a-z0-9_-]{0,49}$'),
    CONSTRAINT roles_description_length CHECK (char_length(description) <= 500),
    CONSTRAINT roles_permissions_bounded CHECK (cardinality(permissions) <= 64)
);
INSERT INTO roles (name, description, is_built_in)
VALUES ('administrator', 'Administers this installation and may do everything.', true);
INSERT INTO roles (name)
SELECT DISTINCT held.name
FROM users CROSS JOIN unnest(users.roles) AS held (name)
WHERE users.roles <> '{}' AND held.name ~ '^[a-z][a-z0-9_-]{0,49}$'
ON CONFLICT ON CONSTRAINT roles_pkey DO NOTHING;

-- Accounts of programs: nothing but API keys, which administrators make for them.
CREATE TABLE service_accounts (
    id          uuid        CONSTRAINT service_accounts_pkey PRIMARY KEY,
    name        text        NOT NULL CONSTRAINT service_accounts_name_key UNIQUE,
    description text        NOT NULL DEFAULT '',
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    CONSTRAINT service_accounts_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT service_accounts_description_length CHECK (char_length(description) <= 500)
);

ALTER TABLE api_keys
    ALTER COLUMN user_id DROP NOT NULL,
    ADD COLUMN service_account_id uuid CONSTRAINT api_keys_service_account_id_fkey
                                       REFERENCES service_accounts,
    ADD COLUMN last_used_address  cidr,
    ADD CONSTRAINT api_keys_owner CHECK (num_nonnulls(user_id, service_account_id) = 1);
CREATE INDEX api_keys_service_account_id_idx ON api_keys (service_account_id, id)
    WHERE service_account_id IS NOT NULL;

-- What service accounts leave elsewhere is removed like that of people, who have an address.
ALTER TABLE account_deletions
    DROP CONSTRAINT account_deletions_forget_address,
    ALTER COLUMN farewell_link_id DROP NOT NULL,
    ADD CONSTRAINT account_deletions_forget_address
        CHECK (completed_at IS NULL OR email IS NULL);
