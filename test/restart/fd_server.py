"""Serves HTTP on the socket that systemd hands it, one connection after the other, and says when it is ready.

Its release tells how it behaves: "ok"; "broken" ends at once; "mute" never says that it is ready; "brief" says so and
ends soon after; "deaf" does not end at TERM.
"""

import os
import select
import signal
import socket
import sys
import time

release = os.path.basename(os.path.realpath("/srv/web/current"))
with open(f"/srv/web/releases/{release}/manners", encoding="ascii") as file:
    manners = file.read().strip()
if manners == "broken":
    sys.exit(3)
if manners == "mute":
    time.sleep(300)
if os.environ.get("LISTEN_PID") != str(os.getpid()):
    sys.exit("systemd handed over no socket")
listener = socket.socket(fileno=3)
listener.setblocking(False)

wakes, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
signal.signal(signal.SIGTERM, signal.SIG_IGN if manners == "deaf" else lambda *_: None)

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.connect(os.environ["NOTIFY_SOCKET"])
    notify.send(b"READY=1")
endsAt = time.monotonic() + 0.2 if manners == "brief" else None

while True:
    ready, _, _ = select.select([listener, wakes], [], [], 0.05 if endsAt else None)
    if endsAt and time.monotonic() > endsAt:
        sys.exit(4)
    if wakes in ready:
        sys.exit(0)
    try:
        client, _ = listener.accept() if ready else (None, None)
    except BlockingIOError:
        # The other copy took it.
        continue
    if client is None:
        continue
    client.setblocking(True)
    client.recv(65536)
    body = f"{sys.argv[1]} {release}".encode()
    client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    client.close()
