-- What each session and each value of a tag spent by day. dimension: 'session' or 'tag/NAME'; value:
-- the session's digest or the tag's value, empty for everything beyond the limit of a day.
CREATE TABLE spend (
    dimension TEXT NOT NULL,
    day       INTEGER NOT NULL,
    value     TEXT NOT NULL,
    body      BLOB NOT NULL,
    PRIMARY KEY (dimension, day, value)
) WITHOUT ROWID;
-- Days that were counted before, the last one in part, are not known by session and tag.
INSERT OR REPLACE INTO state
    SELECT 'store.spend_since', max(day) + 86400 FROM ledger HAVING max(day) IS NOT NULL;
