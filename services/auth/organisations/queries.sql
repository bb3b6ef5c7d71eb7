-- name: insert_organisation
-- A new organisation; no row if its slug is taken.
INSERT INTO organisations (id, name, slug) VALUES ($1, $2, $3)
ON CONFLICT ON CONSTRAINT organisations_slug_key DO NOTHING
RETURNING id, name, slug, created_at, NULL::text AS role;

-- name: find_organisation
-- An organisation, and what somebody is in it.
SELECT organisations.id, organisations.name, slug, created_at, role
FROM organisations
LEFT JOIN organisation_members
       ON organisation_id = organisations.id AND organisation_members.user_id = $2
WHERE organisations.id = $1;

-- name: lock_organisation
-- Let one transaction at a time change an organisation, its members and its invitations.
SELECT id FROM organisations WHERE id = $1 FOR UPDATE;

-- name: lock_organisations_of
-- The same for every organisation of an account, always in one order.
SELECT id FROM organisations
WHERE id IN (SELECT organisation_id FROM organisation_members WHERE user_id = $1)
ORDER BY id
FOR UPDATE;

-- name: list_organisations_of
-- A page of the organisations that somebody belongs to, newest first.
SELECT organisations.id, organisations.name, slug, created_at, role
FROM organisation_members JOIN organisations ON organisations.id = organisation_id
WHERE user_id = $1 AND ($2::uuid IS NULL OR organisation_id < $2)
ORDER BY organisation_id DESC
LIMIT $3;

-- name: list_organisations
-- A page of all organisations, newest first, and what somebody is in each.
SELECT organisations.id, organisations.name, slug, created_at, role
FROM organisations
LEFT JOIN organisation_members
       ON organisation_id = organisations.id AND organisation_members.user_id = $1
WHERE $2::uuid IS NULL OR organisations.id < $2
ORDER BY organisations.id DESC
LIMIT $3;

-- name: change_organisation
-- Give an organisation another name and slug.
UPDATE organisations SET name = $2, slug = $3 WHERE id = $1;

-- name: delete_organisations
-- Remove organisations, their members and the mails about their invitations.
WITH mails AS (
    DELETE FROM links USING invitations
    WHERE invitations.id = links.id AND invitations.organisation_id = ANY ($1::uuid[])
)
DELETE FROM organisations WHERE id = ANY ($1::uuid[]);

-- name: count_memberships
-- How many organisations somebody belongs to, and how many of them they own.
SELECT count(*) AS total, count(*) FILTER (WHERE role = 'owner') AS owned
FROM organisation_members WHERE user_id = $1;

-- name: count_members
-- How many belong to an organisation.
SELECT count(*) FROM organisation_members WHERE organisation_id = $1;

-- name: insert_member
-- Somebody joins; no row if they belong to it already.
INSERT INTO organisation_members (id, organisation_id, user_id, role) VALUES ($1, $2, $3, $4)
ON CONFLICT ON CONSTRAINT organisation_members_pkey DO NOTHING
RETURNING id;

-- name: find_member
-- One member.
SELECT member.id, member.user_id, users.name, users.email, member.role, member.joined_at
FROM organisation_members AS member JOIN users ON users.id = member.user_id
WHERE member.organisation_id = $1 AND member.user_id = $2;

-- name: list_members
-- A page of members, newest first.
SELECT member.id, member.user_id, users.name, users.email, member.role, member.joined_at
FROM organisation_members AS member JOIN users ON users.id = member.user_id
WHERE member.organisation_id = $1 AND ($2::uuid IS NULL OR member.id < $2)
ORDER BY member.id DESC
LIMIT $3;

-- name: is_other_owner
-- Whether somebody else owns an organisation, and can log in.
SELECT EXISTS (
    SELECT FROM organisation_members AS member JOIN users ON users.id = member.user_id
    WHERE member.organisation_id = $1 AND member.role = 'owner' AND member.user_id <> $2
      AND users.disabled_at IS NULL);

-- name: set_member_role
-- Give a member another role.
UPDATE organisation_members SET role = $3 WHERE organisation_id = $1 AND user_id = $2;

-- name: delete_member
-- Somebody belongs to an organisation no more.
DELETE FROM organisation_members WHERE organisation_id = $1 AND user_id = $2;

-- name: list_belongings
-- What the end of an account would do to its organisations.
SELECT mine.organisation_id, organisations.name, mine.role = 'owner' AS is_owner,
       (SELECT count(*) FROM organisation_members AS other
         WHERE other.organisation_id = mine.organisation_id AND other.user_id <> $1) AS others,
       EXISTS (SELECT FROM organisation_members AS other JOIN users ON users.id = other.user_id
                WHERE other.organisation_id = mine.organisation_id AND other.user_id <> $1
                  AND other.role = 'owner' AND users.disabled_at IS NULL) AS has_other_owner
FROM organisation_members AS mine JOIN organisations ON organisations.id = mine.organisation_id
WHERE mine.user_id = $1
ORDER BY mine.organisation_id;

-- name: lock_member_sessions
-- Keep the sessions of one member, or of all, from naming an organisation meanwhile.
SELECT id FROM sessions
WHERE user_id IN (SELECT user_id FROM organisation_members
                   WHERE organisation_id = $1 AND ($2::uuid IS NULL OR user_id = $2))
ORDER BY id
FOR UPDATE;

-- name: end_member_sessions
-- End the sessions of one member, or of all, any of whose tokens may name an organisation.
DELETE FROM sessions
WHERE user_id IN (SELECT user_id FROM organisation_members
                   WHERE organisation_id = $1 AND ($2::uuid IS NULL OR user_id = $2))
  AND $1 = ANY (organisation_ids)
RETURNING id, user_id;

-- name: is_member_address
-- Whether whoever has an address belongs to an organisation.
SELECT EXISTS (
    SELECT FROM organisation_members AS member JOIN users ON users.id = member.user_id
    WHERE member.organisation_id = $1 AND users.email = $2);

-- name: count_invitation_mail
-- Count one more invitation of today; no row if there were enough.
UPDATE organisations
SET invitations_sent = CASE WHEN invitations_since < now() - interval '1 day'
                            THEN 1 ELSE invitations_sent + 1 END,
    invitations_since = CASE WHEN invitations_since < now() - interval '1 day'
                             THEN now() ELSE invitations_since END
WHERE id = $1 AND (invitations_sent < $2 OR invitations_since < now() - interval '1 day')
RETURNING id;

-- name: count_invitations
-- How many invitations are open.
SELECT count(*) FROM invitations JOIN links ON links.id = invitations.id
WHERE organisation_id = $1 AND expires_at > now();

-- name: insert_invitation
-- Say what the link that was just mailed invites to.
INSERT INTO invitations (id, organisation_id, email, role, invited_by) VALUES ($1, $2, $3, $4, $5);

-- name: find_invitation
-- One open invitation.
SELECT invitations.id, organisation_id, invitations.email, role, invited_by,
       invitations.created_at, expires_at
FROM invitations JOIN links ON links.id = invitations.id
WHERE invitations.id = $1 AND organisation_id = $2 AND expires_at > now();

-- name: find_invitation_to
-- What an address was invited to before, even if that is over.
SELECT invitations.id, organisation_id, invitations.email, role, invited_by,
       invitations.created_at, expires_at
FROM invitations JOIN links ON links.id = invitations.id
WHERE organisation_id = $1 AND invitations.email = $2;

-- name: find_invitation_by_token
-- The open invitation whose link has a token.
SELECT invitations.id, organisation_id, invitations.email, role, invited_by,
       invitations.created_at, expires_at
FROM invitations JOIN links ON links.id = invitations.id
WHERE links.token_hash = $1 AND expires_at > now();

-- name: list_invitations
-- A page of open invitations, newest first.
SELECT invitations.id, organisation_id, invitations.email, role, invited_by,
       invitations.created_at, expires_at
FROM invitations JOIN links ON links.id = invitations.id
WHERE organisation_id = $1 AND ($2::uuid IS NULL OR invitations.id < $2) AND expires_at > now()
ORDER BY invitations.id DESC
LIMIT $3;

-- name: withdraw_invitation
-- Make the link of an invitation worthless; the invitation goes with it.
DELETE FROM links WHERE id = $1;

-- name: withdraw_invitations_by
-- The same for what somebody invited to, in one organisation or in all, to other roles than some.
DELETE FROM links USING invitations
WHERE invitations.id = links.id AND invited_by = $1
  AND ($2::uuid IS NULL OR organisation_id = $2) AND role <> ALL ($3::text[]);
