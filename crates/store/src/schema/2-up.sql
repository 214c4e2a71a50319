-- What is in a segment, so that a filtered list opens only files with matches. A segment without
-- rows here has not been counted and is opened.
CREATE TABLE segment_label (
    segment   INTEGER NOT NULL,
    model     TEXT NOT NULL,
    operation TEXT NOT NULL,
    calls     INTEGER NOT NULL,
    failures  INTEGER NOT NULL,
    PRIMARY KEY (segment, model, operation)
) WITHOUT ROWID;
