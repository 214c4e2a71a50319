-- The hot tail, a row for each call.
CREATE TABLE call (
    id        BLOB PRIMARY KEY,
    seq       INTEGER NOT NULL,
    arrived   INTEGER NOT NULL,
    operation TEXT NOT NULL,
    provider  TEXT NOT NULL,
    model     TEXT NOT NULL,
    status    INTEGER,
    ending    TEXT NOT NULL,
    success   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE detail (
    seq  INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);
