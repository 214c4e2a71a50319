-- Small state by name: what programs remember between starts.
CREATE TABLE state (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Policies that were applied and taken back; entries as JSON.
CREATE TABLE journal (
    number INTEGER PRIMARY KEY,
    entry  TEXT NOT NULL
);

-- What calls are counted under. 0 is everything beyond the limit on distinct labels.
CREATE TABLE label (
    id        INTEGER PRIMARY KEY,
    provider  TEXT NOT NULL,
    model     TEXT NOT NULL,
    operation TEXT NOT NULL
);
INSERT INTO label VALUES (0, 'other', 'other', 'other');

-- Rollups. width: 0 minute, 1 hour, 2 day; at: seconds since 1970 UTC.
CREATE TABLE cell (
    width INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    label INTEGER NOT NULL,
    body  BLOB NOT NULL,
    PRIMARY KEY (width, at, label)
) WITHOUT ROWID;

-- Exact and for ever. day: seconds since 1970 at midnight UTC; usd: decimal text.
CREATE TABLE ledger (
    day               INTEGER NOT NULL,
    label             INTEGER NOT NULL,
    key               BLOB NOT NULL,
    calls             INTEGER NOT NULL,
    answered          INTEGER NOT NULL,
    rejected          INTEGER NOT NULL,
    truncated         INTEGER NOT NULL,
    failed            INTEGER NOT NULL,
    abandoned         INTEGER NOT NULL,
    refused           INTEGER NOT NULL,
    unpriced          INTEGER NOT NULL,
    unknown           INTEGER NOT NULL,
    uncached          INTEGER NOT NULL,
    cache_read        INTEGER NOT NULL,
    cache_write_short INTEGER NOT NULL,
    cache_write_long  INTEGER NOT NULL,
    audio_input       INTEGER NOT NULL,
    image_input       INTEGER NOT NULL,
    output            INTEGER NOT NULL,
    reasoning         INTEGER NOT NULL,
    audio_output      INTEGER NOT NULL,
    usd               TEXT NOT NULL,
    usd_uncached      TEXT NOT NULL,
    PRIMARY KEY (day, label, key)
) WITHOUT ROWID;

-- Totals of each unit of an experiment. arm: 0 held out, 1 treated.
CREATE TABLE unit (
    experiment   INTEGER NOT NULL,
    unit         INTEGER NOT NULL,
    arm          INTEGER NOT NULL,
    calls        INTEGER NOT NULL,
    left_out     INTEGER NOT NULL,
    errors       INTEGER NOT NULL,
    usd          TEXT NOT NULL,
    usd_uncached TEXT NOT NULL,
    PRIMARY KEY (experiment, unit, arm)
) WITHOUT ROWID;

-- The hot tail: what a list of calls needs of each call...
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
-- ...and the whole record, in the order of settling.
CREATE TABLE detail (
    seq  INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);

-- Sealed Parquet files. Arrivals in nanoseconds since 1970 UTC.
CREATE TABLE segment (
    number      INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    bytes       INTEGER NOT NULL,
    calls       INTEGER NOT NULL,
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    min_id      BLOB NOT NULL,
    max_id      BLOB NOT NULL,
    min_arrived INTEGER NOT NULL,
    max_arrived INTEGER NOT NULL
);
