-- A cache: what the site server signed and named, so that it can be served while he is away.

CREATE TABLE head (
  client BLOB NOT NULL PRIMARY KEY,
  incarnation INTEGER NOT NULL,
  version INTEGER NOT NULL,
  head BLOB NOT NULL,
  signature BLOB NOT NULL,
  key_statement BLOB NOT NULL,
  stored_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE part (
  sha256 BLOB NOT NULL PRIMARY KEY,
  bytes BLOB NOT NULL,
  named_at INTEGER NOT NULL -- by the newest head that names it
) STRICT;
