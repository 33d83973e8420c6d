"""imagetrail: the audit trail of an image-generation product."""
