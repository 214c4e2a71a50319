DROP TABLE state; DROP TABLE journal; DROP TABLE label; DROP TABLE cell; DROP TABLE ledger;
DROP TABLE unit; DROP TABLE call; DROP TABLE detail; DROP TABLE segment;
