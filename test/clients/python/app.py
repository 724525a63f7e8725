"""Run by `opentelemetry-instrument`, which reads the environment variables. `app.py server PORT`, or `app.py client URL COUNT`."""
import signal
import sys
import time
import urllib.request
from wsgiref.simple_server import make_server

from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware


def reviews(_environ, start_response):
    time.sleep(0.005)
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"reviews"]


role, target, *rest = sys.argv[1:]
if role == "server":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    make_server("127.0.0.1", int(target), OpenTelemetryMiddleware(reviews)).serve_forever()
for _ in range(int(rest[0])):
    urllib.request.urlopen(target).read()
