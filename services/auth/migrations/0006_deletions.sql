-- What is left of a deleted account: its id, and which service has confirmed that it kept nothing.
-- The address and the mail that says farewell stay only until all have: mail finds by them what it
-- has to remove.
CREATE TABLE account_deletions (
    user_id          uuid        CONSTRAINT account_deletions_pkey PRIMARY KEY,
    actor_id         uuid        NOT NULL,
    email            text,
    farewell_link_id uuid        NOT NULL,
    requested_at     timestamptz NOT NULL DEFAULT now(),
    completed_at     timestamptz,
    CONSTRAINT account_deletions_forget_address
        CHECK ((completed_at IS NULL) = (email IS NOT NULL))
);
CREATE INDEX account_deletions_completed_at_idx ON account_deletions (completed_at)
    WHERE completed_at IS NOT NULL;
CREATE INDEX account_deletions_outstanding_idx ON account_deletions (requested_at)
    WHERE completed_at IS NULL;

CREATE TABLE account_erasures (
    user_id      uuid        NOT NULL CONSTRAINT account_erasures_user_id_fkey
                             REFERENCES account_deletions ON DELETE CASCADE,
    service      text        NOT NULL,
    confirmed_at timestamptz,
    CONSTRAINT account_erasures_pkey PRIMARY KEY (user_id, service)
);
