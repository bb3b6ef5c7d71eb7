-- Mails of sign-ups are counted as those are that log in.
ALTER TABLE magic_link_counts DROP CONSTRAINT magic_link_counts_kind_known;
ALTER TABLE magic_link_counts ADD CONSTRAINT magic_link_counts_kind_known
    CHECK (kind IN ('mail', 'signup', 'code'));
