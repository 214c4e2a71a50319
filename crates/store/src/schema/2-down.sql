DROP TABLE segment_label;
