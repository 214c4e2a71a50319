-- What a unit's calls cost that the rule leaves alone on either side: they show nothing of its effect.
ALTER TABLE unit ADD COLUMN usd_untouched TEXT NOT NULL DEFAULT '0';
ALTER TABLE unit ADD COLUMN usd_uncached_untouched TEXT NOT NULL DEFAULT '0';
