-- The hot tail in the order of settling: blocks of calls, what lists ask of them, their records.
CREATE TABLE tail (
    first  INTEGER PRIMARY KEY,
    calls  INTEGER NOT NULL,
    facts  BLOB NOT NULL,
    bodies BLOB NOT NULL
);
