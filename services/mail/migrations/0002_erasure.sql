-- By whom to remove the messages of people whose accounts are deleted.
CREATE INDEX messages_recipient_idx ON messages (recipient) WHERE recipient IS NOT NULL;
CREATE INDEX messages_link_id_idx ON messages (link_id);
