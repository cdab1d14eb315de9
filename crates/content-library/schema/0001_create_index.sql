-- Files in place: each was hashed completely before its row was written.
CREATE TABLE file (
    sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    sha1 BLOB NOT NULL CHECK (length(sha1) = 20),
    size INTEGER NOT NULL,
    is_weak INTEGER NOT NULL,     -- upstream vouched for it by SHA-1 alone
    verified_at INTEGER NOT NULL, -- milliseconds since 1970
    condemned_at INTEGER,         -- found without a holder; deleted when the lease is over
    used_at INTEGER NOT NULL      -- when it came, or somebody last said that it was used
) STRICT, WITHOUT ROWID;

CREATE INDEX file_by_sha1 ON file (sha1);

-- Who needs a file. The file may still be on its way, so this is no foreign key.
CREATE TABLE reference (
    holder TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (holder, sha256)
) STRICT, WITHOUT ROWID;

CREATE INDEX reference_by_file ON reference (sha256);
