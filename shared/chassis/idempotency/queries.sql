-- Statements about answers that were given under an Idempotency-Key.

-- name: take_key
-- Have a key for this transaction; whoever comes meanwhile waits for its end. No row if the key
-- was used within the time that answers are kept.
INSERT INTO idempotent_answers (caller, key, request)
VALUES ($1, $2, $3)
ON CONFLICT (caller, key) DO UPDATE
   SET request = excluded.request, status = NULL, answer = NULL, answered_at = now()
 WHERE idempotent_answers.answered_at < now() - $4::interval
RETURNING key

-- name: find_answer
-- What was answered under a key within the time that answers are kept.
SELECT request, status, answer FROM idempotent_answers
 WHERE caller = $1 AND key = $2 AND answered_at >= now() - $3::interval

-- name: keep_answer
-- What is answered under a key from now on.
UPDATE idempotent_answers SET status = $3, answer = $4 WHERE caller = $1 AND key = $2

-- name: forget_answers
-- Forget what one caller was answered.
DELETE FROM idempotent_answers WHERE caller = $1

-- name: prune_answers
-- Forget a batch of answers whose time is over.
DELETE FROM idempotent_answers
 WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM idempotent_answers
          WHERE answered_at < now() - $1::interval
          LIMIT $2
            FOR UPDATE SKIP LOCKED))
