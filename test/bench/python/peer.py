"""kazoo, driven over stdin and stdout; see test/bench/README.md for the words."""

import gc
import logging
import math
import os
import sys
import threading
import time

from kazoo.client import KazooClient

# What kazoo would log about a session that failed comes back as "failed" or as silence.
logging.basicConfig(level=logging.CRITICAL)

sessions = []
readers = {}
lock = threading.Lock()


def say(line):
    with lock:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def connect(servers, count, session_timeout_ms):
    clients = [KazooClient(hosts=servers, timeout=session_timeout_ms / 1000) for _ in range(count)]
    events = [client.start_async() for client in clients]
    for event in events:
        event.wait()
    sessions[:] = clients
    say("connected")


def read(session, path):
    """Reads the node and does so again on every change; how many sessions have read which version is counted."""

    def changed(event):
        if event.type == "CHANGED":
            read(session, path)

    def got(result):
        try:
            _, stat = result.get_nowait()
        except Exception as error:
            say("failed %r" % error)
            return
        with lock:
            count = readers.get(stat.version, 0) + 1
            readers[stat.version] = count
        if count == math.ceil(len(sessions) / 2):
            say("half %d" % stat.version)
        if count == len(sessions):
            say("last %d" % stat.version)

    session.get_async(path, watch=changed).rawlink(got)


def pipeline(kind, count, outstanding, path):
    """Keeps the same number of requests outstanding: each answer sends the next request."""
    session = sessions[0]
    data = b"x" * 100
    done = threading.Event()
    state = {"asked": 0, "answered": 0}
    own = threading.Lock()

    def next_one():
        with own:
            if state["asked"] >= count:
                return
            state["asked"] += 1
        request = session.get_async(path) if kind == "get" else session.set_async(path, data)
        request.rawlink(answer)

    def answer(result):
        if not result.successful():
            say("failed %r" % result.exception)
            return
        with own:
            state["answered"] += 1
            if state["answered"] == count:
                done.set()
        next_one()

    started_at = time.perf_counter()
    for _ in range(outstanding):
        next_one()
    done.wait()
    say("done %d" % ((time.perf_counter() - started_at) * 1_000_000))


def watch(prefix, count):
    fired = [0]
    own = threading.Lock()

    def handler(event):
        if event.type != "CHANGED":
            return
        with own:
            fired[0] += 1
            last = fired[0] == count
        if last:
            say("fired")

    # A function of its own for each, as kazoo keeps a set of them for a path.
    requests = [
        sessions[0].get_async(prefix + str(index), watch=lambda event: handler(event)) for index in range(count)
    ]
    for request in requests:
        request.get()
    say("watching")


def obey(words):
    command = words[0]
    if command == "connect":
        connect(words[1], int(words[2]), int(words[3]))
    elif command == "arm":
        for session in sessions:
            read(session, words[1])
    elif command == "pipeline":
        pipeline(words[1], int(words[2]), int(words[3]), words[4])
    elif command == "watch":
        watch(words[1], int(words[2]))
    elif command == "collect":
        gc.collect()
        say("collected")
    else:
        raise ValueError("unknown command: " + command)


say("ready")
for line in sys.stdin:
    try:
        obey(line.split())
    except Exception as error:
        say("failed %r" % error)
# The threads of the sessions would keep the program alive.
os._exit(0)
