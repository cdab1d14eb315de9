-- schema version 1

CREATE TABLE catalog_import (
  id INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  parts INTEGER,
  is_done INTEGER NOT NULL DEFAULT 0,
  imported INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  rejected TEXT NOT NULL DEFAULT '',
  revised TEXT NOT NULL DEFAULT '',
  refused TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE catalog_import_part (
  import INTEGER NOT NULL,
  part INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (import, part)
) STRICT;

CREATE TABLE content_demand (
  package TEXT NOT NULL,
  sha1 BLOB NOT NULL,
  size INTEGER NOT NULL,
  update_id BLOB NOT NULL,
  name TEXT NOT NULL,
  sha256 BLOB,
  is_missing INTEGER NOT NULL,
  stored BLOB,
  is_weak INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (package, sha1, size)
) STRICT, WITHOUT ROWID;

CREATE TABLE content_state (
  package TEXT NOT NULL,
  point BLOB NOT NULL,
  site TEXT NOT NULL,
  version INTEGER NOT NULL,
  state TEXT NOT NULL,
  files INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  is_forwarded INTEGER NOT NULL,
  PRIMARY KEY (package, point)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment_outcome (
  deployment BLOB NOT NULL PRIMARY KEY,
  outcome TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
  lsn INTEGER PRIMARY KEY AUTOINCREMENT,
  grp INTEGER NOT NULL,
  owner BLOB NOT NULL,
  seq INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  id BLOB NOT NULL,
  hash BLOB NOT NULL,
  body BLOB,
  digest_after BLOB,
  signature_after BLOB
) STRICT;

CREATE INDEX entry_by_group ON entry (grp, lsn);

CREATE INDEX entry_by_seq ON entry (grp, owner, seq);

CREATE TABLE event_gap (
  owner BLOB NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE identity (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  hierarchy BLOB NOT NULL,
  owner BLOB NOT NULL,
  kind TEXT NOT NULL,
  parent TEXT,
  recovering INTEGER NOT NULL,
  accept_loss INTEGER NOT NULL
) STRICT;

CREATE TABLE item (
  number INTEGER NOT NULL PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  since INTEGER NOT NULL,
  expired INTEGER NOT NULL,
  hidden INTEGER NOT NULL
) STRICT;

CREATE TABLE live (
  kind INTEGER NOT NULL,
  id BLOB NOT NULL,
  lsn INTEGER NOT NULL,
  grp INTEGER NOT NULL,
  owner BLOB NOT NULL,
  bucket INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX live_by_bucket ON live (grp, owner, bucket);

CREATE TABLE log_mark (
  grp INTEGER NOT NULL,
  owner BLOB NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE owner_key (
  code TEXT NOT NULL PRIMARY KEY,
  statement BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE parked_state (
  client BLOB NOT NULL,
  update_id BLOB NOT NULL,
  state INTEGER NOT NULL,
  enforcement INTEGER NOT NULL,
  code INTEGER NOT NULL,
  serial INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  parked_at INTEGER NOT NULL,
  PRIMARY KEY (client, update_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX parked_by_update ON parked_state (update_id);

CREATE TABLE policy_head (
  client BLOB NOT NULL PRIMARY KEY,
  incarnation INTEGER NOT NULL,
  version INTEGER NOT NULL,
  head BLOB NOT NULL,
  signature BLOB NOT NULL,
  parts BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_part (
  sha256 BLOB NOT NULL PRIMARY KEY,
  bytes BLOB NOT NULL,
  last_used INTEGER NOT NULL
) STRICT;

CREATE TABLE repair_report (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  grp INTEGER NOT NULL,
  owner BLOB NOT NULL,
  kind INTEGER NOT NULL,
  object BLOB NOT NULL,
  seq INTEGER NOT NULL,
  body BLOB
) STRICT;

CREATE TABLE setting (
  component TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (component, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE site_code (
  code TEXT NOT NULL PRIMARY KEY,
  owner BLOB NOT NULL,
  given_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stream (
  grp INTEGER NOT NULL,
  owner BLOB NOT NULL,
  epoch INTEGER NOT NULL,
  epoch_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  digest BLOB NOT NULL,
  floor INTEGER NOT NULL,
  floor_digest BLOB NOT NULL,
  settle_at INTEGER,
  seen_epoch INTEGER NOT NULL,
  seen_epoch_id INTEGER NOT NULL,
  seen_seq INTEGER NOT NULL,
  signature BLOB,
  state INTEGER NOT NULL,
  PRIMARY KEY (grp, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_point (
  role BLOB NOT NULL PRIMARY KEY,
  server_id BLOB NOT NULL,
  anchor INTEGER NOT NULL,
  extractor INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_run (
  number INTEGER NOT NULL PRIMARY KEY,
  reason TEXT NOT NULL,
  is_full INTEGER NOT NULL,
  step TEXT NOT NULL,
  phase TEXT NOT NULL,
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  version INTEGER NOT NULL,
  updates_changed INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  cause TEXT NOT NULL
) STRICT;

CREATE TABLE token (
  hash BLOB NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  site TEXT NOT NULL,
  site_kind TEXT,
  parent TEXT,
  created_by TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  used_key BLOB,
  identity TEXT,
  certificate BLOB,
  authority BLOB,
  owner BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE walk (
  grp INTEGER NOT NULL,
  owner BLOB NOT NULL,
  source TEXT NOT NULL,
  boot INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  epoch_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  done BLOB NOT NULL,
  PRIMARY KEY (grp, owner)
) STRICT, WITHOUT ROWID;
