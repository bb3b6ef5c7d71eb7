-- The mail log. Bodies are not kept: they hold links that let their reader in.

CREATE TABLE messages (
    id         uuid        CONSTRAINT messages_pkey PRIMARY KEY,
    link_id    uuid        NOT NULL,
    recipient  text,
    template   text,
    subject    text,
    state      text        NOT NULL DEFAULT 'queued',
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    CONSTRAINT messages_state_known
        CHECK (state IN ('queued', 'delivered', 'bounced', 'failed')),
    CONSTRAINT messages_ended_has_time CHECK ((state = 'queued') = (ended_at IS NULL)),
    CONSTRAINT messages_sent_was_rendered
        CHECK (state NOT IN ('delivered', 'bounced')
               OR (recipient IS NOT NULL AND template IS NOT NULL AND subject IS NOT NULL))
);

CREATE TABLE timeline (
    id         bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT timeline_pkey PRIMARY KEY,
    message_id uuid        NOT NULL
                           CONSTRAINT timeline_message_id_fkey REFERENCES messages ON DELETE CASCADE,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    step       text        NOT NULL,
    detail     text,
    CONSTRAINT timeline_step_known
        CHECK (step IN ('accepted', 'queued', 'attempt', 'delivered', 'bounced', 'failed'))
);
CREATE INDEX timeline_message_id_idx ON timeline (message_id, id);
