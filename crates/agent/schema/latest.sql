-- schema version 1

CREATE TABLE head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    key_epoch INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE part (
    sha256 BLOB PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE record (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    incarnation INTEGER NOT NULL,
    serial INTEGER NOT NULL,     -- of the last state message
    covered INTEGER NOT NULL,    -- catalog version of the last scan
    scanned_at INTEGER NOT NULL, -- milliseconds since 1970
    scan_error TEXT,
    updates INTEGER NOT NULL,    -- counted in the last scan
    catalog BLOB                 -- server_id of the update catalog in use
) STRICT;

CREATE TABLE report (
    serial INTEGER PRIMARY KEY, -- the last one in it
    body BLOB NOT NULL
) STRICT;

CREATE TABLE run (
    update_id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    code INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    at INTEGER NOT NULL,
    boot TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
    update_id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    state INTEGER NOT NULL,
    enforcement INTEGER NOT NULL, -- 0: none
    code INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
