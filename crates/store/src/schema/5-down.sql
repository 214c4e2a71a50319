DROP TABLE spend;
DELETE FROM state WHERE key = 'store.spend_since';
