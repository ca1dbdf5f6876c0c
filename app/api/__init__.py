"""The read API: ORES, Lift Wing and ours, over one reader."""
