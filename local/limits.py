"""What this process may have open."""

import resource

WANTED = 10_000


def allow_many_sockets() -> None:
    """Hypercorn holds the socket of a client that went away for some seconds, and some systems start with 256 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
