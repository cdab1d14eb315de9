-- Computers that registered here, as they describe themselves.
CREATE TABLE computer (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    os_version TEXT NOT NULL,
    os_description TEXT NOT NULL,
    manufacturer TEXT NOT NULL,
    model TEXT NOT NULL,
    architecture TEXT NOT NULL,
    client_version TEXT NOT NULL,
    last_contact INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
