import { op } from "../../../src/zookeeper/client.ts";
import { creatorAcl, Perms, readAcl } from "../../../src/zookeeper/znode.ts";
import { codeOf, counters, type ContractCase } from "./contract.ts";

export const accessCases: readonly ContractCase[] = [
  {
    name: "only those on the access list may",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "0", { acl: creatorAcl });
      await owner.create("/shown", "0", { acl: [...creatorAcl, ...readAcl] });
      return [
        await codeOf(zk.get("/mine")),
        await codeOf(zk.set("/mine", "1")),
        await codeOf(zk.create("/mine/child")),
        await codeOf(zk.children("/mine")),
        await codeOf(zk.getAcl("/mine")),
        await codeOf(zk.multi([op.check("/mine")])),
        await codeOf(zk.get("/shown")),
        await codeOf(zk.set("/shown", "1")),
        await codeOf(owner.set("/mine", "1")),
        await codeOf(owner.create("/mine/child")),
        await codeOf(zk.delete("/mine/child")),
        await codeOf(owner.delete("/mine/child")),
        await codeOf(zk.delete("/mine")),
      ];
    },
    expected: [
      "NO_AUTH refused",
      "NO_AUTH refused",
      "NO_AUTH refused",
      "NO_AUTH refused",
      "NO_AUTH refused",
      "NO_AUTH refused",
      "ok",
      "NO_AUTH refused",
      "ok",
      "ok",
      "NO_AUTH refused",
      "ok",
      "ok",
    ],
  },
  {
    name: "an access list is read and set at its own version, and hides hashes from strangers",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/a", "", { acl: [...creatorAcl, ...readAcl] });
      const own = await owner.getAcl("/a");
      const others = await zk.getAcl("/a");
      const wrong = await codeOf(owner.setAcl("/a", readAcl, 5));
      const stat = await owner.setAcl("/a", [{ perms: Perms.read | Perms.write, scheme: "world", id: "anyone" }], 0);
      return [
        own.acl,
        others.acl,
        wrong,
        counters(stat),
        await codeOf(zk.set("/a", "1")),
        await codeOf(zk.setAcl("/a", readAcl)),
      ];
    },
    expected: [
      [
        { perms: 31, scheme: "digest", id: "app:F6Y+U5gIoCbNNoLQExmvxRFeatA=" },
        { perms: 1, scheme: "world", id: "anyone" },
      ],
      [
        { perms: 31, scheme: "digest", id: "app:x" },
        { perms: 1, scheme: "world", id: "anyone" },
      ],
      "BAD_VERSION refused",
      { version: 0, cversion: 0, aversion: 1, dataLength: 0, numChildren: 0 },
      "ok",
      "NO_AUTH refused",
    ],
  },
  {
    name: "an access list that grants nobody anything sensible is refused",
    run: async ({ zk }) => [
      await codeOf(zk.create("/a", "", { acl: creatorAcl })),
      await codeOf(zk.create("/a", "", { acl: [] })),
      await codeOf(zk.create("/a", "", { acl: [{ perms: 1, scheme: "nonsense", id: "x" }] })),
    ],
    expected: ["INVALID_ACL refused", "INVALID_ACL refused", "INVALID_ACL refused"],
  },
  {
    name: "identities can be added to a session and are known by their user",
    run: async ({ zk, open }) => {
      const owner = open();
      await owner.addAuth("digest", "app:secret");
      await owner.create("/a", "", { acl: creatorAcl });
      return [await owner.whoAmI(), await zk.whoAmI(), await codeOf(owner.get("/a"))];
    },
    expected: [
      [
        { scheme: "ip", user: "127.0.0.1" },
        { scheme: "digest", user: "app" },
      ],
      [{ scheme: "ip", user: "127.0.0.1" }],
      "ok",
    ],
  },
  {
    name: "an identity that is refused ends the session for good",
    run: async ({ open }) => {
      const refused = open({ auth: [{ scheme: "no-such-scheme", credentials: "x" }] });
      const first = codeOf(refused.get("/"));
      const states: string[] = [];
      refused.onState((state) => void states.push(state.kind));
      const connected = await codeOf(refused.connected());
      return [connected, await first, await codeOf(refused.get("/")), states, refused.state.kind];
    },
    expected: ["AUTH_FAILED not-sent", "AUTH_FAILED not-sent", "AUTH_FAILED not-sent", ["auth-failed"], "auth-failed"],
  },
];
