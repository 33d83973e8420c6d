"""Full-text search over prompts: its language, its analysis of text, and an index of immutable segments on S3."""
