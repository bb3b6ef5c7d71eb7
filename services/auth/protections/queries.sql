-- name: note_device
-- Remember the device of a session that is being opened; tell whether it is new to the account,
-- and whether anything has opened a session of the account before.
WITH entered AS (
    UPDATE users SET entered_at = now() WHERE id = $1 AND entered_at IS NULL RETURNING id
), noted AS (
    INSERT INTO known_devices AS known (user_id, device_hash, network)
    VALUES ($1, $2, $3)
    ON CONFLICT ON CONSTRAINT known_devices_pkey DO UPDATE
    SET last_seen_at = now(), network = excluded.network
    RETURNING known.first_seen_at = known.last_seen_at AS is_new
)
SELECT is_new, EXISTS (SELECT FROM entered) AS is_first FROM noted;

-- name: is_known
-- Whether the account of an address, if there is one, knows a browser or a network.
SELECT EXISTS (
    SELECT FROM users JOIN known_devices ON known_devices.user_id = users.id
    WHERE users.email = $1 AND (known_devices.device_hash = $2 OR known_devices.network = $3)
);

-- name: delete_surplus_devices
-- Forget the devices of an account that were not seen for longest, all but the newest ones.
DELETE FROM known_devices WHERE user_id = $1 AND device_hash IN (
    SELECT device_hash FROM known_devices
    WHERE user_id = $1
    ORDER BY last_seen_at DESC, device_hash
    OFFSET $2
);

-- name: forget_devices
-- Forget the devices of an account but one, or all.
DELETE FROM known_devices WHERE user_id = $1 AND device_hash IS DISTINCT FROM $2;

-- name: delete_old_devices
-- Forget a batch of devices that were not seen for long.
DELETE FROM known_devices WHERE (user_id, device_hash) IN (
    SELECT user_id, device_hash FROM known_devices
    WHERE last_seen_at < now() - $2::interval
    LIMIT $1 FOR UPDATE SKIP LOCKED
);

-- name: find_log_in_standing
-- What a log-in is up against: whether its browser or its network is known to the account, how
-- often the counter that it goes by failed, how often strangers did, and how often its network did at
-- whatever accounts. An address without an account takes the same steps.
WITH account AS (
    SELECT coalesce((SELECT id FROM users WHERE email = $1),
                    '00000000-0000-0000-0000-000000000000'::uuid) AS id
), known AS (
    SELECT EXISTS (SELECT FROM known_devices
                   WHERE user_id = account.id AND device_hash = $4::bytea) AS by_cookie,
           EXISTS (SELECT FROM known_devices
                   WHERE user_id = account.id AND network = $3::cidr) AS by_network
    FROM account
)
SELECT known.by_cookie, known.by_network,
       own.failures, clock_timestamp() - own.last_failed_at AS since_last,
       everywhere.failures AS network_failures,
       clock_timestamp() - everywhere.last_failed_at AS since_network_failed,
       coalesce(strangers.failures, 0) AS stranger_failures,
       clock_timestamp() - strangers.last_let_in_at AS since_let_in
FROM known
LEFT JOIN login_failures own
    ON own.account = CASE WHEN known.by_cookie THEN $5::bytea ELSE $2::bytea END
   AND own.network = CASE WHEN known.by_cookie THEN $6::cidr ELSE $3::cidr END
LEFT JOIN login_failures everywhere ON everywhere.account = $8 AND everywhere.network = $3
LEFT JOIN stranger_failures strangers
    ON strangers.account = $2 AND strangers.last_failed_at > clock_timestamp() - $7::interval;

-- name: count_stranger_failure
-- Count one more failure of strangers; after a quiet day the count begins anew.
INSERT INTO stranger_failures AS known (account, failures, last_failed_at)
VALUES ($1, 1, clock_timestamp())
ON CONFLICT ON CONSTRAINT stranger_failures_pkey DO UPDATE
SET failures = CASE
        WHEN known.last_failed_at < clock_timestamp() - $2::interval THEN 1
        ELSE known.failures + 1
    END,
    last_failed_at = clock_timestamp();

-- name: take_turn
-- Let one stranger try a password, unless another was let in within the interval. A clock that was
-- set back keeps nobody out.
UPDATE stranger_failures SET last_let_in_at = clock_timestamp()
WHERE account = $1
  AND (last_let_in_at IS NULL
       OR last_let_in_at NOT BETWEEN clock_timestamp() - $2::interval AND clock_timestamp())
RETURNING failures;

-- name: delete_old_stranger_failures
-- Remove a batch of counts of strangers that have begun anew by now.
DELETE FROM stranger_failures WHERE account IN (
    SELECT account FROM stranger_failures
    WHERE last_failed_at < clock_timestamp() - $2::interval
    LIMIT $1 FOR UPDATE SKIP LOCKED
);
