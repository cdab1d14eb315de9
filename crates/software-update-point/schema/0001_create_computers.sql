-- Computers that registered here: what they say of themselves, and how far their site knows it.
CREATE TABLE computer (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    os_version TEXT NOT NULL,
    os_description TEXT NOT NULL,
    manufacturer TEXT NOT NULL,
    model TEXT NOT NULL,
    architecture TEXT NOT NULL,
    client_version TEXT NOT NULL,
    -- Where it last called from, 4 or 16 bytes; empty where that is not known.
    address BLOB NOT NULL,
    last_contact INTEGER NOT NULL,
    -- What the site makes of it, when it last said so, the address that it was told then, and
    -- whether it has to be asked again.
    standing TEXT NOT NULL CHECK (standing IN ('new', 'known', 'refused')),
    standing_since INTEGER NOT NULL,
    told_address BLOB NOT NULL,
    is_due INTEGER NOT NULL,
    -- Rises with all that the site does not know, so that nothing is lost while it is being told.
    changes INTEGER NOT NULL,
    -- Of its state messages: drawn once, the last one, and the last one that the site has.
    incarnation INTEGER NOT NULL,
    serial INTEGER NOT NULL,
    reported INTEGER NOT NULL,
    wants_full INTEGER NOT NULL,
    -- Of its last scan.
    covered INTEGER NOT NULL,
    scanned_at INTEGER NOT NULL,
    scan_error TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX computer_due ON computer (standing_since) WHERE is_due;
CREATE INDEX computer_news ON computer (id)
    WHERE standing = 'known' AND (reported < serial OR wants_full);
-- Those that did not come any more; whom the site does not know is forgotten sooner.
CREATE INDEX computer_gone ON computer (last_contact) WHERE standing = 'known';
CREATE INDEX computer_unknown ON computer (last_contact) WHERE standing <> 'known';

-- What a computer said of its updates. One that is not required is kept until the site knows.
CREATE TABLE state (
    computer BLOB NOT NULL,
    update_id BLOB NOT NULL,
    revision INTEGER NOT NULL,
    state INTEGER NOT NULL,
    enforcement INTEGER,
    code INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- The state message that says so.
    serial INTEGER NOT NULL,
    PRIMARY KEY (computer, update_id)
) STRICT, WITHOUT ROWID;

-- The last events of each computer, for whoever asks what happened, and to know an event that is
-- sent twice.
CREATE TABLE event (
    computer BLOB NOT NULL,
    number INTEGER NOT NULL,
    instance BLOB NOT NULL,
    at INTEGER NOT NULL,
    event INTEGER NOT NULL,
    source INTEGER NOT NULL,
    update_id BLOB,
    hresult INTEGER NOT NULL,
    PRIMARY KEY (computer, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE progress (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- Up to which entry of the spool events were taken into account, and the digest of that entry,
    -- because another spool may give the same number.
    folded INTEGER NOT NULL,
    digest BLOB NOT NULL,
    -- Rows of computer, kept by the triggers.
    computers INTEGER NOT NULL,
    -- Whether decided names everything that computers were ever told; NULL: nobody has said so yet.
    knows_all INTEGER
) STRICT;
INSERT INTO progress VALUES (1, 0, zeroblob(32), 0, NULL);

CREATE TRIGGER computer_came AFTER INSERT ON computer BEGIN
    UPDATE progress SET computers = computers + 1;
END;
CREATE TRIGGER computer_went AFTER DELETE ON computer BEGIN
    UPDATE progress SET computers = computers - 1;
END;

-- The newest policy of each computer, as the site planned it.
CREATE TABLE policy (
    computer BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    -- Digests, 32 bytes each.
    parts BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Parts of policy, shared by all computers that have them.
CREATE TABLE part (
    sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    bytes BLOB NOT NULL,
    seen_at INTEGER NOT NULL,
    -- When policy last named it, and how many policies do.
    named_at INTEGER NOT NULL,
    names INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX part_unnamed ON part (named_at) WHERE names = 0;

-- What computers were told of their updates, each set once; cookies name them by their numbers.
CREATE TABLE audience (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Over what matters to a computer that knows the set already.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    decisions BLOB NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;

-- Every update that was ever decided in a set, for computers of which nobody knows what they were
-- told; longer than the sets are kept.
CREATE TABLE decided (
    update_id BLOB PRIMARY KEY CHECK (length(update_id) = 16)
) STRICT, WITHOUT ROWID;
