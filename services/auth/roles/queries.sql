-- name: list_roles
-- A page of roles by name.
SELECT name, description, permissions, is_built_in, created_at, updated_at FROM roles
WHERE name > $1 ORDER BY name LIMIT $2;

-- name: find_role
-- One role.
SELECT name, description, permissions, is_built_in, created_at, updated_at FROM roles
WHERE name = $1;

-- name: lock_role
-- One role, which nobody can be given meanwhile.
SELECT name, description, permissions, is_built_in, created_at, updated_at FROM roles
WHERE name = $1 FOR UPDATE;

-- name: lock_making_roles
-- Let one transaction at a time make a role.
SELECT pg_advisory_xact_lock(hashtextextended('auth.roles', 0));

-- name: count_roles
-- How many roles there are.
SELECT count(*) FROM roles;

-- name: put_role
-- Make a role or replace what it allows.
INSERT INTO roles (name, description, permissions) VALUES ($1, $2, $3)
ON CONFLICT ON CONSTRAINT roles_pkey DO UPDATE
SET description = excluded.description, permissions = excluded.permissions, updated_at = now()
RETURNING name, description, permissions, is_built_in, created_at, updated_at;

-- name: delete_role
-- Remove a role.
DELETE FROM roles WHERE name = $1;

-- name: is_role_held
-- Whether some account has a role.
SELECT EXISTS (SELECT FROM users WHERE users.roles <> '{}' AND $1 = ANY (users.roles));

-- name: keep_roles
-- Which of some roles there are; none of them goes or changes until the transaction ends.
SELECT name FROM roles WHERE name = ANY ($1::text[]) ORDER BY name FOR SHARE;

-- name: is_too_much_for_a_token
-- Whether the names of roles and permissions are too long together, of one account or of any that
-- has some role: characters, and three for what stands between them.
SELECT EXISTS (
    SELECT FROM (SELECT DISTINCT users.roles AS names FROM users
                  WHERE users.roles <> '{}' AND ($1::uuid IS NULL OR users.id = $1)
                    AND ($2::text IS NULL OR $2 = ANY (users.roles))) AS held
    WHERE (SELECT sum(char_length(name) + 3) FROM unnest(held.names) AS name)
        + (SELECT coalesce(sum(char_length(permission) + 3), 0)
             FROM (SELECT DISTINCT permission
                     FROM roles CROSS JOIN unnest(roles.permissions) AS permission
                    WHERE roles.name = ANY (held.names)) AS allowed) > $3);
