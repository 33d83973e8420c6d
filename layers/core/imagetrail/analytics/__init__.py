"""Analytics: a day's records folded into rollups for reports, and into the lake for every other question."""
