-- schema version 1

CREATE TABLE head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    key_epoch INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE history (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL, -- milliseconds since 1970
    kind INTEGER NOT NULL,
    update_id BLOB,
    revision INTEGER,
    code INTEGER,
    duration_ms INTEGER,
    size_bytes INTEGER,
    what TEXT NOT NULL
) STRICT;

CREATE INDEX history_by_kind ON history (kind);

CREATE TABLE last_scan (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    state INTEGER NOT NULL,
    server TEXT NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    code INTEGER NOT NULL
) STRICT;

CREATE TABLE note (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    refreshed_at INTEGER,       -- documents were brought up to date; milliseconds since 1970
    reevaluate_at INTEGER,      -- deployments are evaluated again then
    boot TEXT NOT NULL,         -- which start of the system it was
    update_point TEXT NOT NULL, -- the one to keep to, and how it has failed; JSON
    restart_deferred_to INTEGER,
    restart_told_at INTEGER,
    has_opened_filter INTEGER NOT NULL, -- and closes it again
    filter_failed_at INTEGER -- it was to be open after a start, and was not
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
    catalog BLOB,                -- server_id of the update catalog in use
    identity TEXT NOT NULL       -- of the client's certificate; another client begins anew
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

CREATE TABLE stand (
    deployment BLOB PRIMARY KEY,
    compliance INTEGER NOT NULL,
    enforcement INTEGER NOT NULL,
    evaluation INTEGER NOT NULL,
    code INTEGER NOT NULL, -- of what failed last
    at INTEGER NOT NULL    -- milliseconds since 1970
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
    update_id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    state INTEGER NOT NULL,
    enforcement INTEGER NOT NULL, -- 0: none
    code INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE wish (
    update_id BLOB PRIMARY KEY,
    started_at INTEGER, -- absent, as the other: hidden
    planned_at INTEGER -- not before
) STRICT, WITHOUT ROWID;
