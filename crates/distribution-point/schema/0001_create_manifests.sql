-- What the site server said this point shall hold, so that it is served without the site, too.
CREATE TABLE manifest (
  package TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  is_installed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE manifest_file (
  package TEXT NOT NULL,
  name TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (package, name)
) STRICT, WITHOUT ROWID;
