-- AUTOINCREMENT: an id names one entry for ever, also after the entry was acknowledged.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL,
    reason TEXT -- why the receiver refused it; NULL while it is queued
) STRICT;

CREATE INDEX entry_refused ON entry (id) WHERE reason IS NOT NULL;

-- One row, kept by the triggers: counting a long queue at every append would make it longer.
CREATE TABLE usage (
    queued INTEGER NOT NULL,
    bytes INTEGER NOT NULL,      -- of the queued entries
    quarantined INTEGER NOT NULL -- ever
) STRICT;

INSERT INTO usage VALUES (0, 0, 0);

CREATE TRIGGER entry_queued AFTER INSERT ON entry BEGIN
    UPDATE usage SET queued = queued + 1, bytes = bytes + length(new.body);
END;

CREATE TRIGGER entry_acknowledged AFTER DELETE ON entry WHEN old.reason IS NULL BEGIN
    UPDATE usage SET queued = queued - 1, bytes = bytes - length(old.body);
END;

CREATE TRIGGER entry_quarantined AFTER UPDATE OF reason ON entry BEGIN
    UPDATE usage SET queued = queued - 1, bytes = bytes - length(old.body),
        quarantined = quarantined + 1;
END;
