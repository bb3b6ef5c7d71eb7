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

-- name: delete_surplus_devices
-- Forget the devices of an account that were not seen for longest, all but the newest ones.
DELETE FROM known_devices WHERE user_id = $1 AND device_hash IN (
    SELECT device_hash FROM known_devices
    WHERE user_id = $1
    ORDER BY last_seen_at DESC, device_hash
    OFFSET $2
);

-- name: forget_devices
-- Forget the devices of an account but one.
DELETE FROM known_devices WHERE user_id = $1 AND device_hash <> $2;

-- name: delete_old_devices
-- Forget a batch of devices that were not seen for long.
DELETE FROM known_devices WHERE (user_id, device_hash) IN (
    SELECT user_id, device_hash FROM known_devices
    WHERE last_seen_at < now() - $2::interval
    LIMIT $1 FOR UPDATE SKIP LOCKED
);
