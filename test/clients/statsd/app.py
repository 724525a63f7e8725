"""A client of StatsD that finds its server in the environment by itself. `app.py NAME`"""

import sys

from statsd.defaults.env import statsd

name = sys.argv[1]
with statsd.pipeline() as pipe:
    for ms in range(1, 101):
        pipe.timing(f"{name}.took", ms)
statsd.incr(f"{name}.orders", 3)
statsd.gauge(f"{name}.queue", 7)
statsd.set(f"{name}.users", "alice")
statsd.set(f"{name}.users", "bob")
