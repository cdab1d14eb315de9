-- Replication (docs/replication.md, section 2).

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

-- A number is never given twice: readers of the log go on from the last one they saw.
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

-- Not unique: while a stream is reconciled after a fork, two histories may hold one number.
CREATE INDEX entry_by_seq ON entry (grp, owner, seq);
CREATE INDEX entry_by_group ON entry (grp, lsn);

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

-- A reconcile under way: its source, where it began, and the buckets taken over.
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

-- Every body a reconcile overwrote or deleted.
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

-- Events this site never got, because they had left the sender's log.
CREATE TABLE event_gap (
  owner BLOB NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;

-- Local: where streams stood at which time, so that logs can be kept for a number of days.
CREATE TABLE log_mark (
  grp INTEGER NOT NULL,
  owner BLOB NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;

-- Verified key statements, by the site whose key they state.
CREATE TABLE owner_key (
  code TEXT NOT NULL PRIMARY KEY,
  statement BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Local: what this site is and whether it is recovering from a restore.
CREATE TABLE identity (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  hierarchy BLOB NOT NULL,
  owner BLOB NOT NULL,
  kind TEXT NOT NULL,
  parent TEXT,
  recovering INTEGER NOT NULL,
  accept_loss INTEGER NOT NULL
) STRICT;

-- Local: numbers that only grow (object codes, item numbers, generations).
CREATE TABLE counter (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Local: small settings and anchors of components, by component and name.
CREATE TABLE setting (
  component TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (component, name)
) STRICT, WITHOUT ROWID;

-- Projection of live items.
CREATE TABLE item (
  number INTEGER NOT NULL PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  since INTEGER NOT NULL,
  expired INTEGER NOT NULL,
  hidden INTEGER NOT NULL
) STRICT;

-- Projection of live rulings: what was cleaned up is dropped from catalogs with a version, and keeps
-- its number.
CREATE TABLE ruling (
  id BLOB NOT NULL PRIMARY KEY,
  is_declined INTEGER NOT NULL,
  dropped_revision INTEGER,
  dropped_version INTEGER,
  number INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX ruling_by_number ON ruling (number) WHERE number IS NOT NULL;

-- Projection of live titles of software, of all sites; `folded` is the name in lower case.
CREATE TABLE software_title (
  site TEXT NOT NULL,
  number INTEGER NOT NULL,
  folded TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  architecture TEXT NOT NULL,
  origin TEXT NOT NULL,
  PRIMARY KEY (site, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX software_title_by_name ON software_title (folded, site);

-- Administration.

-- Local, because a token is good only at the site that gave it: join tokens by the hash of their
-- secret, with what was issued for them, so that a repeated request gets the same answer.
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

-- Local, as tokens are: computers that asked to be enrolled without a token, by the fingerprint of
-- their key. Undecided as long as there is no decided_at; refused without a certificate then.
CREATE TABLE enrolment_request (
  fingerprint TEXT NOT NULL PRIMARY KEY,
  key BLOB NOT NULL,
  name TEXT NOT NULL,
  site TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  decided_at INTEGER,
  decided_by TEXT,
  identity TEXT,
  certificate BLOB
) STRICT, WITHOUT ROWID;

-- Local at the top-level site: every site code ever given; none is given twice (SITE-01, SITE-03).
CREATE TABLE site_code (
  code TEXT NOT NULL PRIMARY KEY,
  owner BLOB NOT NULL,
  given_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Clients: states and policy.

-- Local, because only the client's own site folds its reports: states of updates whose item is not
-- here yet.
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

-- Local, because a client is asked by its own site: those that shall say everything again.
CREATE TABLE refresh_wanted (
  client BLOB NOT NULL PRIMARY KEY,
  wanted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Local, because each caller speaks to its own site: what waits and was set aside there, as it said
-- last.
CREATE TABLE backlog (
  caller TEXT NOT NULL PRIMARY KEY,
  said_at INTEGER NOT NULL,
  waiting INTEGER NOT NULL,
  set_aside INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Local, because policy is made anew from what is replicated: parts by digest. At a secondary site
-- a cache of its primary's.
CREATE TABLE policy_part (
  sha256 BLOB NOT NULL PRIMARY KEY,
  bytes BLOB NOT NULL,
  last_used INTEGER NOT NULL
) STRICT;

-- Local: the newest signed head of each client. Parts are 32 bytes of digest and 16 of the
-- deployment each.
CREATE TABLE policy_head (
  client BLOB NOT NULL PRIMARY KEY,
  incarnation INTEGER NOT NULL,
  version INTEGER NOT NULL,
  head BLOB NOT NULL,
  signature BLOB NOT NULL,
  parts BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Local: what the last plan made of each deployment, in words.
CREATE TABLE deployment_outcome (
  deployment BLOB NOT NULL PRIMARY KEY,
  outcome TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Local: software update points of this site, as synchronization knows them. `anchor` is how far
-- the point's own catalog was taken into items; another `server_id` is another catalog. `rulings` is
-- the digest of what it was told last of rulings, `ruled_for` the version it was told that for.
CREATE TABLE sync_point (
  role BLOB NOT NULL PRIMARY KEY,
  server_id BLOB NOT NULL,
  anchor INTEGER NOT NULL,
  extractor INTEGER NOT NULL,
  version INTEGER NOT NULL,
  rulings BLOB NOT NULL,
  ruled_for INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Local: synchronizations of this site. The one without an end is under way.
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
  cause TEXT NOT NULL,
  -- What it asked its source for, 16 bytes each.
  products BLOB NOT NULL
) STRICT;

-- Local at the top-level site: deletions of what expired. The one without an end is under way.
CREATE TABLE cleanup_run (
  number INTEGER NOT NULL PRIMARY KEY,
  reason TEXT NOT NULL,
  total INTEGER NOT NULL,
  done INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT;

-- Local: catalog files on their way to an update point; `parts` once all of them are here.
CREATE TABLE catalog_import (
  id INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  parts INTEGER,
  is_done INTEGER NOT NULL DEFAULT 0,
  imported INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  rejected TEXT NOT NULL DEFAULT '',
  revised TEXT NOT NULL DEFAULT '',
  refused TEXT NOT NULL DEFAULT '',
  -- Documents that were given by themselves, one line each.
  documents TEXT NOT NULL DEFAULT '',
  account TEXT NOT NULL DEFAULT '',
  -- Of the hierarchy that is believed from now on, SHA-256 of its root key.
  trust BLOB,
  is_unsigned INTEGER NOT NULL DEFAULT 0,
  -- How often it was handed to an update point.
  tries INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE catalog_import_part (
  import INTEGER NOT NULL,
  part INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (import, part)
) STRICT;

-- Local: bundles on their way to whoever asked; parts go when the next one is asked for.
CREATE TABLE catalog_export (
  id INTEGER NOT NULL PRIMARY KEY,
  since INTEGER NOT NULL,
  has_content INTEGER NOT NULL,
  account TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'sent', 'failed')),
  -- Parts made so far.
  parts INTEGER NOT NULL DEFAULT 0,
  failure TEXT NOT NULL DEFAULT '',
  missing TEXT NOT NULL DEFAULT '',
  -- When all parts were made, or when it failed.
  ended_at INTEGER
) STRICT;

CREATE TABLE catalog_export_part (
  export INTEGER NOT NULL,
  part INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (export, part)
) STRICT;

-- Local: catalogs of other servers that were taken in, and bundles that were made here.
CREATE TABLE catalog_bundle (
  direction TEXT NOT NULL CHECK (direction IN ('import', 'export')),
  -- Of the import or export.
  number INTEGER NOT NULL,
  file TEXT NOT NULL,
  kind TEXT NOT NULL,
  server_id TEXT NOT NULL,
  -- Who signed it; NULL: nobody.
  hierarchy BLOB,
  site TEXT,
  pin BLOB,
  since INTEGER NOT NULL,
  anchor INTEGER NOT NULL,
  version INTEGER NOT NULL,
  set_digest BLOB,
  documents INTEGER NOT NULL,
  removed INTEGER NOT NULL,
  files INTEGER NOT NULL,
  imported INTEGER NOT NULL,
  unchanged INTEGER NOT NULL,
  is_same_set INTEGER NOT NULL,
  at INTEGER NOT NULL,
  account TEXT NOT NULL,
  PRIMARY KEY (direction, number)
) STRICT, WITHOUT ROWID;

-- Local: roots of other hierarchies whose bundles are believed, by SHA-256 of their keys.
CREATE TABLE trusted_root (
  pin BLOB NOT NULL PRIMARY KEY,
  hierarchy BLOB NOT NULL,
  at INTEGER NOT NULL,
  account TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Local at the top-level site: what the first update point shall do for a catalog of packages.
CREATE TABLE catalog_errand (
  id INTEGER NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('publish', 'refresh', 'content')),
  -- Of the package, of the subscription; of the update in the last case.
  name TEXT NOT NULL,
  package BLOB,
  -- How often it was handed to an update point.
  tries INTEGER NOT NULL DEFAULT 0,
  is_done INTEGER NOT NULL DEFAULT 0,
  imported INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  rejected TEXT NOT NULL DEFAULT '',
  revised TEXT NOT NULL DEFAULT '',
  refused TEXT NOT NULL DEFAULT ''
) STRICT;

-- Local at the top-level site: updates that were published here, by the errand that did it, and the
-- files that are kept for them, 32 bytes of SHA-256 each.
CREATE TABLE publication (
  errand INTEGER NOT NULL PRIMARY KEY,
  update_id BLOB NOT NULL,
  files BLOB NOT NULL
) STRICT;

-- Local at the top-level site: catalogs of packages that are looked at regularly.
CREATE TABLE catalog_subscription (
  name TEXT NOT NULL PRIMARY KEY,
  url TEXT NOT NULL,
  -- SHA-256 of the certificate that has to have signed it.
  fingerprint BLOB,
  -- 0: only by hand.
  every_ms INTEGER NOT NULL,
  last_at INTEGER,
  failure TEXT NOT NULL DEFAULT '',
  imported INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Local: files that packages of this site want and do not hold yet. `stored` names the file in the
-- content library once it is there.
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

-- Local: what distribution points at and below this site say of packages.
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

-- Local at the owner of a rule: its runs; 0 is the code of a run that has not failed.
CREATE TABLE rule_run (
  rule TEXT NOT NULL,
  number INTEGER NOT NULL,
  reason TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT NOT NULL,
  code INTEGER NOT NULL,
  updates INTEGER NOT NULL,
  PRIMARY KEY (rule, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_step (
  rule TEXT NOT NULL,
  number INTEGER NOT NULL,
  step INTEGER NOT NULL,
  what TEXT NOT NULL,
  result TEXT NOT NULL,
  detail TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (rule, number, step)
) STRICT, WITHOUT ROWID;

-- Local: what a rule has seen last: the catalog version, a digest of what it took, and one of what
-- it tried if it failed.
CREATE TABLE rule_input (
  rule TEXT NOT NULL PRIMARY KEY,
  digest BLOB NOT NULL,
  at INTEGER NOT NULL,
  catalog INTEGER NOT NULL,
  failed BLOB
) STRICT, WITHOUT ROWID;

-- Local: who was a member, 16 bytes each, at the last full evaluation of a collection that changes
-- only then.
CREATE TABLE kept_members (
  collection TEXT NOT NULL PRIMARY KEY,
  members BLOB NOT NULL,
  evaluated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Projection of items: the articles that name them, in lower case and without "kb".
CREATE TABLE article (
  article TEXT NOT NULL,
  id BLOB NOT NULL,
  PRIMARY KEY (article, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX article_by_id ON article (id);

-- Local: deployments whose alert is raised.
CREATE TABLE deployment_alert (
  deployment BLOB NOT NULL PRIMARY KEY,
  raised_at INTEGER NOT NULL,
  compliant INTEGER NOT NULL,
  targeted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Projection of items: `id` supersedes `superseded`.
CREATE TABLE supersedes (
  id BLOB NOT NULL,
  superseded BLOB NOT NULL,
  PRIMARY KEY (id, superseded)
) STRICT, WITHOUT ROWID;

CREATE INDEX supersedes_by_superseded ON supersedes (superseded);
