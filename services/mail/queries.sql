-- name: insert_message
-- A message that is still to be rendered.
INSERT INTO messages (id, link_id) VALUES ($1, $2)

-- name: find_message
-- One message.
SELECT id, link_id, recipient, template, subject, state, created_at FROM messages WHERE id = $1

-- name: list_messages
-- Messages from the newest on, or from after the one where the last page ended.
SELECT id, link_id, recipient, template, subject, state, created_at
  FROM messages
 WHERE $1::uuid IS NULL OR id < $1
 ORDER BY id DESC
 LIMIT $2

-- name: add_to_timeline
-- A further step of a message.
INSERT INTO timeline (message_id, step, detail) VALUES ($1, $2, $3)

-- name: list_timelines
-- The steps of some messages, in order.
SELECT message_id, at, step, detail
  FROM timeline
 WHERE message_id = ANY ($1::uuid[])
 ORDER BY message_id, id

-- name: begin_attempt
-- Note what was rendered and that a hand-over begins, if the message still waits for one.
WITH message AS (
  UPDATE messages SET recipient = $2, template = $3, subject = $4
   WHERE id = $1 AND state = 'queued'
  RETURNING id)
INSERT INTO timeline (message_id, step)
SELECT id, 'attempt' FROM message
RETURNING id

-- name: explain_attempt
-- Why an attempt did not succeed.
UPDATE timeline SET detail = $2 WHERE id = $1

-- name: end_message
-- Note a message's end, if it has not ended yet.
WITH message AS (
  UPDATE messages SET state = $2, ended_at = now()
   WHERE id = $1 AND state = 'queued'
  RETURNING id)
INSERT INTO timeline (message_id, step, detail)
SELECT id, $2, $3 FROM message
RETURNING message_id

-- name: is_sent
-- Whether a message of a link has come to its end, and none to its recipient is still on its way.
SELECT EXISTS (SELECT FROM messages WHERE link_id = $2 AND state <> 'queued')
       AND NOT EXISTS (SELECT FROM messages WHERE recipient = $1 AND state = 'queued')

-- name: delete_messages
-- Remove a batch of the messages to a recipient, or of a link.
DELETE FROM messages WHERE id IN (
  SELECT id FROM messages WHERE (recipient = $1 OR link_id = $2) AND state <> 'queued' LIMIT $3)
