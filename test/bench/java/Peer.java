// Apache's client, driven over stdin and stdout; see test/bench/README.md for the words.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.zookeeper.AsyncCallback.DataCallback;
import org.apache.zookeeper.AsyncCallback.StatCallback;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;

public final class Peer {
    private static ZooKeeper[] sessions = new ZooKeeper[0];
    private static final ConcurrentHashMap<Integer, AtomicInteger> readers = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        say("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                obey(line.split(" "));
            } catch (Exception error) {
                say("failed " + error);
            }
        }
        // The threads of the sessions would keep the program alive.
        Runtime.getRuntime().halt(0);
    }

    private static void obey(String[] words) throws Exception {
        switch (words[0]) {
            case "connect":
                connect(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
                break;
            case "arm":
                for (ZooKeeper session : sessions) {
                    read(session, words[1]);
                }
                break;
            case "pipeline":
                pipeline(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]), words[4]);
                break;
            case "watch":
                watch(words[1], Integer.parseInt(words[2]));
                break;
            case "collect":
                System.gc();
                say("collected");
                break;
            default:
                throw new IllegalArgumentException("unknown command: " + words[0]);
        }
    }

    private static void connect(String servers, int count, int sessionTimeoutMs) throws Exception {
        CountDownLatch connected = new CountDownLatch(count);
        ZooKeeper[] opened = new ZooKeeper[count];
        for (int index = 0; index < count; index++) {
            opened[index] = new ZooKeeper(servers, sessionTimeoutMs, event -> {
                if (event.getType() == EventType.None && event.getState() == KeeperState.SyncConnected) {
                    connected.countDown();
                }
            });
        }
        connected.await();
        sessions = opened;
        say("connected");
    }

    /** Reads the node and does so again on every change; how many sessions have read which version is counted. */
    private static void read(ZooKeeper session, String path) {
        Watcher again = event -> {
            if (event.getType() == EventType.NodeDataChanged) {
                read(session, path);
            }
        };
        session.getData(path, again, (DataCallback) (code, at, context, data, stat) -> {
            if (!succeeded(code)) {
                return;
            }
            int version = stat.getVersion();
            int count = readers.computeIfAbsent(version, key -> new AtomicInteger()).incrementAndGet();
            if (count == (sessions.length + 1) / 2) {
                say("half " + version);
            }
            if (count == sessions.length) {
                say("last " + version);
            }
        }, null);
    }

    private static void pipeline(String kind, int count, int outstanding, String path) throws Exception {
        new Pipeline(kind.equals("get"), count, path).run(outstanding);
    }

    /** Keeps the same number of requests outstanding: each answer sends the next request. */
    private static final class Pipeline {
        private final ZooKeeper session = sessions[0];
        private final boolean gets;
        private final int count;
        private final String path;
        private final byte[] data = "x".repeat(100).getBytes();
        private final AtomicInteger asked = new AtomicInteger();
        private final CountDownLatch answered;

        Pipeline(boolean gets, int count, String path) {
            this.gets = gets;
            this.count = count;
            this.path = path;
            this.answered = new CountDownLatch(count);
        }

        void run(int outstanding) throws Exception {
            long startedAt = System.nanoTime();
            for (int lane = 0; lane < outstanding; lane++) {
                next();
            }
            answered.await();
            say("done " + (System.nanoTime() - startedAt) / 1_000);
        }

        private void next() {
            if (asked.getAndIncrement() >= count) {
                return;
            }
            if (gets) {
                session.getData(path, false, (DataCallback) (code, at, context, got, stat) -> answer(code), null);
            } else {
                session.setData(path, data, -1, (StatCallback) (code, at, context, stat) -> answer(code), null);
            }
        }

        private void answer(int code) {
            if (succeeded(code)) {
                answered.countDown();
                next();
            }
        }
    }

    private static void watch(String prefix, int count) throws Exception {
        CountDownLatch set = new CountDownLatch(count);
        AtomicInteger fired = new AtomicInteger();
        for (int index = 0; index < count; index++) {
            Watcher handler = event -> {
                if (event.getType() == EventType.NodeDataChanged && fired.incrementAndGet() == count) {
                    say("fired");
                }
            };
            sessions[0].getData(prefix + index, handler, (DataCallback) (code, at, context, data, stat) -> {
                if (succeeded(code)) {
                    set.countDown();
                }
            }, null);
        }
        set.await();
        say("watching");
    }

    private static boolean succeeded(int code) {
        if (code == Code.OK.intValue()) {
            return true;
        }
        say("failed " + Code.get(code));
        return false;
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
