-- name: insert_client
-- An application that may ask.
INSERT INTO oauth_clients
    (id, name, secret_hash, redirect_uris, post_logout_redirect_uris, scopes, is_trusted,
     backchannel_logout_uri, id_token_algorithm, backchannel_logout_session_required, require_pkce)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING id, name, secret_hash, redirect_uris, post_logout_redirect_uris, scopes, is_trusted,
          backchannel_logout_uri, id_token_algorithm, created_at,
          backchannel_logout_session_required, require_pkce;

-- name: update_client
-- Other values for an application; its id stays.
UPDATE oauth_clients
SET name = $2, secret_hash = $3, redirect_uris = $4, post_logout_redirect_uris = $5, scopes = $6,
    is_trusted = $7, backchannel_logout_uri = $8, id_token_algorithm = $9,
    backchannel_logout_session_required = $10, require_pkce = $11
WHERE id = $1
RETURNING id, name, secret_hash, redirect_uris, post_logout_redirect_uris, scopes, is_trusted,
          backchannel_logout_uri, id_token_algorithm, created_at,
          backchannel_logout_session_required, require_pkce;

-- name: lock_client
-- One application, locked for a change.
SELECT id, name, secret_hash, redirect_uris, post_logout_redirect_uris, scopes, is_trusted,
       backchannel_logout_uri, id_token_algorithm, created_at,
       backchannel_logout_session_required, require_pkce
FROM oauth_clients WHERE id = $1 FOR UPDATE;

-- name: find_client
-- One application.
SELECT id, name, secret_hash, redirect_uris, post_logout_redirect_uris, scopes, is_trusted,
       backchannel_logout_uri, id_token_algorithm, created_at,
       backchannel_logout_session_required, require_pkce
FROM oauth_clients WHERE id = $1;

-- name: list_clients
-- A page of applications by their names.
SELECT id, name, secret_hash, redirect_uris, post_logout_redirect_uris, scopes, is_trusted,
       backchannel_logout_uri, id_token_algorithm, created_at,
       backchannel_logout_session_required, require_pkce
FROM oauth_clients WHERE name > $1 ORDER BY name LIMIT $2;

-- name: delete_client
-- An application asks no more; what it was given ends.
DELETE FROM oauth_clients WHERE id = $1 RETURNING id;

-- name: find_browser_session
-- A live session that a browser's refresh token names, the one just replaced included for as long as
-- a refresh takes it, with its account. Looking does not rotate it. In one in which somebody acts as
-- the user, no application is signed into: its sign-in would outlast the hour.
SELECT sessions.id, sessions.user_id, sessions.methods, sessions.authenticated_at,
       users.email, users.name
FROM sessions JOIN users ON users.id = sessions.user_id
WHERE sessions.id = $1
  AND (sessions.refresh_counter = $2
       OR sessions.refresh_counter = $2 + 1
          AND clock_timestamp() - sessions.refreshed_at BETWEEN - $3::interval AND $3::interval)
  AND sessions.idle_expires_at > now() AND sessions.expires_at > now()
  AND sessions.impersonator_id IS NULL AND users.disabled_at IS NULL;

-- name: now
-- The time by the clock that sessions are opened by.
SELECT clock_timestamp();

-- name: find_consent
-- What a user allowed an application before.
SELECT scopes FROM oauth_consents WHERE user_id = $1 AND client_id = $2;

-- name: put_consent
-- Remember what a user allows an application, besides what was allowed before.
INSERT INTO oauth_consents AS known (user_id, client_id, scopes) VALUES ($1, $2, $3)
ON CONFLICT ON CONSTRAINT oauth_consents_pkey DO UPDATE
SET scopes = ARRAY(SELECT DISTINCT unnest(known.scopes || excluded.scopes)), granted_at = now();

-- name: list_consents
-- The applications a user allowed something.
SELECT oauth_consents.client_id, oauth_clients.name, oauth_consents.scopes,
       oauth_consents.granted_at
FROM oauth_consents JOIN oauth_clients ON oauth_clients.id = oauth_consents.client_id
WHERE user_id = $1
ORDER BY granted_at DESC, oauth_consents.client_id
LIMIT 100;

-- name: delete_consent
-- A user takes back what an application was allowed.
DELETE FROM oauth_consents WHERE user_id = $1 AND client_id = $2 RETURNING client_id;

-- name: delete_grants_of_client
-- End every sign-in of a user at an application.
DELETE FROM oauth_grants WHERE user_id = $1 AND client_id = $2;

-- name: delete_consents_of_client
-- Forget what everybody allowed an application.
DELETE FROM oauth_consents WHERE client_id = $1;

-- name: delete_every_grant_of_client
-- End every sign-in at an application.
DELETE FROM oauth_grants WHERE client_id = $1;

-- name: delete_grants_of_user
-- End the sign-ins of a user, but for those that were made in one session, or in those that it took
-- the place of; without that one, all of them.
DELETE FROM oauth_grants
WHERE user_id = $1
  AND ($2::uuid IS NULL
       OR sid IS DISTINCT FROM $2
          AND NOT EXISTS (
              SELECT FROM oauth_participants AS kept
              WHERE kept.session_id = $2 AND kept.client_id = oauth_grants.client_id
                AND kept.sid = oauth_grants.sid));

-- name: insert_grant
-- One sign-in of a user at an application.
INSERT INTO oauth_grants
    (id, client_id, user_id, session_id, sid, scopes, nonce, methods, authenticated_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::interval);

-- name: insert_participant
-- Remember that a session signed into an application. Its row is held, so that it cannot end
-- between this and the event that tells of its end; no row is returned if it has ended already.
WITH held AS (
    SELECT id, user_id, expires_at FROM sessions WHERE id = $1 FOR KEY SHARE
), noted AS (
    INSERT INTO oauth_participants (session_id, client_id, sid, user_id, expires_at)
    SELECT id, $2, id, user_id, expires_at FROM held
    ON CONFLICT ON CONSTRAINT oauth_participants_pkey DO NOTHING
)
SELECT id FROM held;

-- name: is_participant
-- Whether a session, or one that it took the place of, signed into an application by this sid.
SELECT EXISTS (
    SELECT FROM oauth_participants WHERE session_id = $1 AND client_id = $2 AND sid = $3);

-- name: take_participants
-- The applications that are to be told of a session's end, once.
WITH taken AS (
    DELETE FROM oauth_participants WHERE session_id = $1
    RETURNING client_id, sid, user_id
)
SELECT taken.client_id, taken.sid, taken.user_id
FROM taken JOIN oauth_clients ON oauth_clients.id = taken.client_id
WHERE backchannel_logout_uri IS NOT NULL;

-- name: move_participants
-- The applications of a session belong to the one that takes its place, for as long as that lives.
UPDATE oauth_participants SET session_id = sessions.id, expires_at = sessions.expires_at
FROM sessions
WHERE sessions.id = $2 AND oauth_participants.session_id = $1;

-- name: move_grants
-- The sign-ins of a session belong to the one that takes its place.
UPDATE oauth_grants SET session_id = $2 WHERE session_id = $1;

-- name: delete_expired_participants
-- Forget which applications a session signed into that reached its end.
DELETE FROM oauth_participants WHERE (session_id, client_id, sid) IN (
    SELECT session_id, client_id, sid FROM oauth_participants WHERE expires_at <= now()
    LIMIT $1 FOR UPDATE SKIP LOCKED);

-- name: insert_code
-- The code that an application redeems for it.
INSERT INTO oauth_codes (code_hash, grant_id, redirect_uri, code_challenge, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::interval);

-- name: use_code
-- Spend a code, once; of several at the same time one finds it.
UPDATE oauth_codes SET used_at = now()
WHERE code_hash = $1 AND used_at IS NULL AND expires_at > now()
RETURNING grant_id, redirect_uri, code_challenge;

-- name: find_used_grant
-- What a code was spent for.
SELECT grant_id FROM oauth_codes WHERE code_hash = $1 AND used_at IS NOT NULL;

-- name: find_grant
-- A live sign-in with its user, and what was allowed then and its application may still ask for.
-- One that is bound to a session ends with its idle time as well; another one when its application
-- may stay no longer.
SELECT grants.id, grants.client_id, grants.user_id, grants.sid,
       ARRAY(SELECT scope FROM unnest(grants.scopes) WITH ORDINALITY AS allowed (scope, place)
             WHERE scope = ANY (clients.scopes) ORDER BY place) AS scopes,
       grants.nonce, grants.methods, grants.authenticated_at, grants.refresh_counter, grants.expires_at,
       users.email, users.name, users.roles, users.updated_at,
       clock_timestamp() - grants.refreshed_at AS since_refresh
FROM oauth_grants grants
JOIN oauth_clients clients ON clients.id = grants.client_id
JOIN users ON users.id = grants.user_id
LEFT JOIN sessions ON sessions.id = grants.session_id
WHERE grants.id = $1 AND grants.expires_at > now() AND users.disabled_at IS NULL
  AND (grants.session_id IS NULL AND 'offline_access' = ANY (clients.scopes)
       OR sessions.idle_expires_at > now() AND sessions.expires_at > now());

-- name: rotate_grant
-- Replace the current refresh token of a sign-in.
UPDATE oauth_grants SET refresh_counter = refresh_counter + 1, refreshed_at = now()
WHERE id = $1 AND refresh_counter = $2 AND expires_at > now()
RETURNING id;

-- name: delete_grant
-- End a sign-in.
DELETE FROM oauth_grants WHERE id = $1 RETURNING client_id, user_id, sid;

-- name: delete_expired_grants
-- Forget sign-ins whose time is over, with their codes.
DELETE FROM oauth_grants WHERE id IN (
    SELECT id FROM oauth_grants WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED);

-- name: delete_expired_codes
-- Forget codes whose time is over.
DELETE FROM oauth_codes WHERE code_hash IN (
    SELECT code_hash FROM oauth_codes WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED);
