ALTER TABLE unit DROP COLUMN usd_uncached_untouched;
ALTER TABLE unit DROP COLUMN usd_untouched;
