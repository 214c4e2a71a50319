//! Prices: from published lists to a catalogue.
