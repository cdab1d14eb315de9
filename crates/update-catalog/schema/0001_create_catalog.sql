-- What the catalog is, in one row.
CREATE TABLE catalog (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- Drawn at creation and at every restore: local revision ids mean nothing without it.
    server_id BLOB NOT NULL CHECK (length(server_id) = 16),
    -- The number of the last change; every changed revision takes the next one.
    changes INTEGER NOT NULL
) STRICT;

-- (A list to be in would be made anew, as a table, for every row that is written.)
-- One revision of an update, category or detectoid. AUTOINCREMENT: a local id is never reused.
CREATE TABLE revision (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    revision INTEGER NOT NULL,
    -- Software and drivers; the rest are categories and detectoids.
    is_item INTEGER NOT NULL,
    -- What it is to computers that scan: an update of its own, fit only as a part of a bundle,
    -- only evaluated, or kept from them.
    audience TEXT NOT NULL CHECK (audience = 'own'
        OR audience = 'part'
        OR audience = 'evaluated'
        OR audience = 'kept'),
    category_kind TEXT,
    category_parent BLOB,
    -- It is for these, a bit for each; 0: for whichever a computer speaks.
    languages INTEGER NOT NULL,
    is_latest INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    size INTEGER NOT NULL,
    -- Byte-exact, zstd. NULL: of the latest revision, removed, kept so that followers hear of it;
    -- of an older one, obsolete, kept because computers name it.
    document BLOB,
    UNIQUE (update_id, revision)
) STRICT;

CREATE UNIQUE INDEX revision_by_change ON revision (changed);
CREATE INDEX revision_replaced ON revision (id) WHERE NOT is_latest AND document IS NOT NULL;

-- What the site ruled of updates, whether they are here or not.
CREATE TABLE ruling (
    update_id BLOB NOT NULL PRIMARY KEY CHECK (length(update_id) = 16),
    is_declined INTEGER NOT NULL,
    -- Dropped at this revision: it comes back with a later one only.
    dropped INTEGER,
    changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ruling_by_change ON ruling (changed);

-- The graph. Targets need not be here: they are ids, never foreign keys.
CREATE TABLE relation (
    revision INTEGER NOT NULL REFERENCES revision (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind = 'category'
        OR kind = 'prerequisite'
        OR kind = 'bundled'
        OR kind = 'superseded'),
    clause INTEGER NOT NULL,
    target BLOB NOT NULL CHECK (length(target) = 16),
    target_revision INTEGER,
    PRIMARY KEY (revision, kind, clause, target)
) STRICT, WITHOUT ROWID;

CREATE INDEX relation_by_category ON relation (target) WHERE kind = 'category';

CREATE TABLE file (
    revision INTEGER NOT NULL REFERENCES revision (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha1 BLOB NOT NULL CHECK (length(sha1) = 20),
    sha256 BLOB CHECK (length(sha256) = 32),
    PRIMARY KEY (revision, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX file_by_sha1 ON file (sha1);
CREATE INDEX file_by_sha256 ON file (sha256) WHERE sha256 IS NOT NULL;

-- What computers are told of a revision, zstd; derived from its document when first asked for.
CREATE TABLE fragment (
    revision INTEGER NOT NULL REFERENCES revision (id) ON DELETE CASCADE,
    part TEXT NOT NULL CHECK (part = 'core'
        OR part = 'extended'
        OR part = 'localized'
        OR part = 'eula'),
    position INTEGER NOT NULL,
    language TEXT NOT NULL,
    size INTEGER NOT NULL,
    text BLOB NOT NULL,
    PRIMARY KEY (revision, part, position)
) STRICT;

-- Where upstream says a file can be had.
CREATE TABLE file_source (
    sha1 BLOB NOT NULL CHECK (length(sha1) = 20),
    url TEXT NOT NULL,
    PRIMARY KEY (sha1, url)
) STRICT, WITHOUT ROWID;

-- How far a synchronization with upstream has come, as upstream words it.
CREATE TABLE upstream_anchor (
    name TEXT PRIMARY KEY,
    anchor TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Catalogs that came as files: how far each one's server was followed, and the last bundle of it.
CREATE TABLE bundle (
    server_id BLOB NOT NULL PRIMARY KEY CHECK (length(server_id) = 16),
    anchor INTEGER NOT NULL,
    -- SHA-256 of its manifest.
    manifest BLOB NOT NULL CHECK (length(manifest) = 32)
) STRICT, WITHOUT ROWID;

-- Of a replica, as its upstream has them: target groups, deployments and accepted licenses.
CREATE TABLE taken_group (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    parent_id BLOB NOT NULL CHECK (length(parent_id) = 16),
    name TEXT NOT NULL,
    is_builtin INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE taken_deployment (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    revision INTEGER NOT NULL,
    action INTEGER NOT NULL,
    administrator TEXT NOT NULL,
    deadline INTEGER,
    is_assigned INTEGER NOT NULL,
    go_live INTEGER NOT NULL,
    group_id BLOB NOT NULL CHECK (length(group_id) = 16),
    download_priority INTEGER NOT NULL,
    -- Kept so that replicas below hear that it is gone.
    is_dead INTEGER NOT NULL,
    changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE taken_license (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16)
) STRICT, WITHOUT ROWID;

-- What has to outlive the process, by name.
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The ends of successful synchronizations.
CREATE TABLE version (
    version INTEGER PRIMARY KEY,
    changes INTEGER NOT NULL,
    -- The last revision that belongs to it.
    last_revision INTEGER NOT NULL,
    items INTEGER NOT NULL,
    set_digest BLOB NOT NULL CHECK (length(set_digest) = 32)
) STRICT;
