import { op } from "../../../src/zookeeper/client.ts";
import { digestId } from "../../../src/zookeeper/server/access.ts";
import { creatorAcl, openAcl, Perms, readAcl } from "../../../src/zookeeper/znode.ts";
import { codeOf, counters, culprit, notes, type ContractCase } from "./contract.ts";

const MOST_TRIES = 100;

/**
 * A server that has told a new list may be a follower, and its leader, which checks a write, still be about to carry the change
 * out: what it has on the way then is the node with the list before (PrepRequestProcessor puts no list into its change records).
 */
async function untilRefused(write: () => Promise<unknown>): Promise<string> {
  let code = await codeOf(write());
  for (let tries = 1; code === "ok" && tries < MOST_TRIES; tries += 1) code = await codeOf(write());
  return code;
}

export const permissionsCases: readonly ContractCase[] = [
  {
    name: "a node's own list decides who reads, sets and lists it",
    run: async ({ zk }) => {
      const observed: Record<string, string[]> = {};
      for (const [name, perms] of Object.entries(Perms)) {
        const path = `/${name}`;
        await zk.create(path, "", { acl: [{ perms, scheme: "world", id: "anyone" }] });
        observed[name] = [
          await codeOf(zk.get(path)),
          await codeOf(zk.set(path, "1")),
          await codeOf(zk.children(path)),
          await codeOf(zk.create(`${path}/child`)),
          await codeOf(zk.delete(`${path}/child`)),
          await codeOf(zk.getAcl(path)),
          await codeOf(zk.setAcl(path, openAcl)),
        ].map((each) => each.replace(" refused", ""));
      }
      return observed;
    },
    expected: {
      read: ["ok", "NO_AUTH", "ok", "NO_AUTH", "NO_AUTH", "ok", "NO_AUTH"],
      write: ["NO_AUTH", "ok", "NO_AUTH", "NO_AUTH", "NO_AUTH", "NO_AUTH", "NO_AUTH"],
      create: ["NO_AUTH", "NO_AUTH", "NO_AUTH", "ok", "NO_AUTH", "NO_AUTH", "NO_AUTH"],
      delete: ["NO_AUTH", "NO_AUTH", "NO_AUTH", "NO_AUTH", "NO_NODE", "NO_AUTH", "NO_AUTH"],
      admin: ["NO_AUTH", "NO_AUTH", "NO_AUTH", "NO_AUTH", "NO_AUTH", "ok", "ok"],
      all: ["ok", "ok", "ok", "ok", "ok", "ok", "ok"],
    },
  },
  {
    name: "whether a node exists is told to everybody, what becomes of it only to those who may read it",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "data", { acl: creatorAcl });
      await owner.create("/gone", "data", { acl: creatorAcl });
      await zk.sync("/");
      const [stranger, own] = [notes(), notes()];
      const stat = await zk.exists("/mine", { watch: stranger.watch });
      for (const path of ["/gone", "/later"]) await zk.exists(path, { watch: stranger.watch });
      await zk.addWatch("/mine", "persistent", stranger.watch);
      await owner.exists("/mine", { watch: own.watch });
      await owner.set("/mine", "changed");
      await owner.create("/later", "", { acl: creatorAcl });
      await owner.delete("/gone");
      await zk.sync("/");
      return [stat?.dataLength, stranger.seen, own.seen];
    },
    expected: [4, [], ["data-changed /mine"]],
  },
  {
    name: "a recursive watch is silent about what may not be read",
    run: async ({ zk, open }) => {
      const { seen, watch } = notes();
      await zk.addWatch("/", "persistent-recursive", watch);
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "data", { acl: creatorAcl });
      await owner.create("/mine/open");
      await owner.set("/mine", "changed");
      await zk.sync("/");
      return seen;
    },
    expected: ["created /mine/open"],
  },
  {
    name: "a node that may not be read can be watched by nobody who asks to read it",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "data", { acl: creatorAcl });
      await zk.sync("/");
      const { seen, watch } = notes();
      const refused = [await codeOf(zk.get("/mine", { watch })), await codeOf(zk.children("/mine", { watch }))];
      const held = await zk.hasWatch("/mine");
      await owner.set("/mine", "changed");
      await zk.sync("/");
      return [refused, held, seen];
    },
    expected: [["NO_AUTH refused", "NO_AUTH refused"], false, []],
  },
  {
    name: "the right to delete a child is the parent's to give",
    run: async ({ zk }) => {
      const anyone = (perms: number) => [{ perms, scheme: "world", id: "anyone" }];
      await zk.create("/kept", "", { acl: anyone(Perms.all & ~Perms.delete) });
      await zk.create("/kept/child");
      await zk.create("/free");
      await zk.create("/free/child", "", { acl: anyone(Perms.read) });
      return [await codeOf(zk.delete("/kept/child")), await codeOf(zk.delete("/free/child"))];
    },
    expected: ["NO_AUTH refused", "ok"],
  },
  {
    name: "lists are not inherited",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "", { acl: creatorAcl });
      await owner.create("/mine/open", "1");
      await zk.sync("/");
      return [await codeOf(zk.get("/mine")), await codeOf(zk.get("/mine/open")), (await zk.getAcl("/mine/open")).acl];
    },
    expected: [
      "NO_AUTH refused",
      "ok",
      [
        {
          perms: 31,
          scheme: "world",
          id: "anyone",
        },
      ],
    ],
  },
  {
    name: "an identity may be named by its hash before it has ever connected",
    run: async ({ zk, open }) => {
      const acl = [{ perms: Perms.all, scheme: "digest", id: digestId("later:secret") }];
      await zk.create("/for-later", "1", { acl });
      const right = open({ auth: [{ scheme: "digest", credentials: "later:secret" }] });
      const wrong = open({ auth: [{ scheme: "digest", credentials: "later:guess" }] });
      return [
        await codeOf(right.get("/for-later")),
        await codeOf(wrong.get("/for-later")),
        await codeOf(zk.get("/for-later")),
      ];
    },
    expected: ["ok", "NO_AUTH refused", "NO_AUTH refused"],
  },
  {
    name: "a user's name may have letters of any script",
    run: async ({ open }) => {
      const credentials = "größe:пароль";
      const owner = open({ auth: [{ scheme: "digest", credentials }] });
      await owner.create("/mine", "", { acl: creatorAcl });
      const again = open({ auth: [{ scheme: "digest", credentials }] });
      return [
        await codeOf(again.set("/mine", "1")),
        (await owner.getAcl("/mine")).acl[0]?.id === digestId(credentials),
      ];
    },
    expected: ["ok", true],
  },
  {
    name: "creators are all the identities that were proved",
    run: async ({ open }) => {
      const both = open({
        auth: [
          { scheme: "digest", credentials: "a:1" },
          { scheme: "digest", credentials: "b:2" },
        ],
      });
      await both.create("/ours", "", { acl: creatorAcl });
      const second = open({ auth: [{ scheme: "digest", credentials: "b:2" }] });
      const { acl } = await both.getAcl("/ours");
      return [acl.map((each) => each.id).sort(), await codeOf(second.get("/ours"))];
    },
    expected: [["a:3om/rwYkUJGnhzKQp5NgRhIwIkc=", "b:zdbHuLwinQKXeWY2Cch1CZ4zJUE="], "ok"],
  },
  {
    name: "an address is let in by itself or by its network",
    run: async ({ zk }) => {
      const from = (id: string) => [{ perms: Perms.read, scheme: "ip", id }];
      const observed: string[] = [];
      for (const [index, id] of ["127.0.0.1", "127.0.0.0/8", "10.0.0.1", "10.0.0.0/8"].entries()) {
        await zk.create(`/ip-${index}`, "", { acl: from(id) });
        observed.push(await codeOf(zk.get(`/ip-${index}`)));
      }
      return observed;
    },
    expected: ["ok", "ok", "NO_AUTH refused", "NO_AUTH refused"],
  },
  {
    name: "entries that come twice are kept once",
    run: async ({ zk }) => {
      const entry = { perms: Perms.all, scheme: "world", id: "anyone" };
      await zk.create("/a", "", { acl: [entry, entry, { ...entry, perms: Perms.read }] });
      return (await zk.getAcl("/a")).acl;
    },
    expected: [
      {
        perms: 31,
        scheme: "world",
        id: "anyone",
      },
      {
        perms: 1,
        scheme: "world",
        id: "anyone",
      },
    ],
  },
  {
    name: "a list may be changed by those it lets, and then keeps them out",
    run: async ({ zk }) => {
      await zk.create("/a", "", { acl: openAcl });
      const stat = await zk.setAcl("/a", readAcl, 0);
      return [
        counters(stat),
        await untilRefused(() => zk.set("/a", "1")),
        await codeOf(zk.setAcl("/a", openAcl)),
        (await zk.getAcl("/a")).acl,
      ];
    },
    expected: [
      {
        version: 0,
        cversion: 0,
        aversion: 1,
        dataLength: 0,
        numChildren: 0,
      },
      "NO_AUTH refused",
      "NO_AUTH refused",
      [
        {
          perms: 1,
          scheme: "world",
          id: "anyone",
        },
      ],
    ],
  },
  {
    name: "a list is set at its own version only, and of a node that is there",
    run: async ({ zk }) => {
      await zk.create("/a");
      await zk.set("/a", "1");
      return [
        await codeOf(zk.setAcl("/a", openAcl, 1)),
        await codeOf(zk.setAcl("/a", openAcl, 0)),
        await codeOf(zk.setAcl("/a", openAcl, 0)),
        await codeOf(zk.setAcl("/none", openAcl)),
        await codeOf(zk.getAcl("/none")),
        await codeOf(zk.setAcl("/a", [])),
      ];
    },
    expected: [
      "BAD_VERSION refused",
      "ok",
      "BAD_VERSION refused",
      "NO_NODE refused",
      "NO_NODE refused",
      "INVALID_ACL refused",
    ],
  },
  {
    name: "an identity proved later opens what was closed",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "1", { acl: creatorAcl });
      await zk.sync("/");
      const before = await codeOf(zk.get("/mine"));
      await zk.addAuth("digest", "app:secret");
      await zk.addAuth("digest", "app:secret");
      return [before, await codeOf(zk.get("/mine")), (await zk.whoAmI()).length];
    },
    expected: ["NO_AUTH refused", "ok", 2],
  },
  {
    name: "counting below a node that may not be read",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "1", { acl: creatorAcl });
      await owner.create("/mine/child");
      await zk.sync("/");
      return [await codeOf(zk.countDescendants("/mine")), await owner.countDescendants("/mine")];
    },
    expected: ["NO_AUTH refused", 1],
  },
  {
    name: "a multi needs the rights of each of its operations",
    run: async ({ zk, open }) => {
      const owner = open({ auth: [{ scheme: "digest", credentials: "app:secret" }] });
      await owner.create("/mine", "1", { acl: creatorAcl });
      await owner.create("/mine/child");
      await zk.sync("/");
      await zk.create("/a");
      return [
        await culprit(zk.multi([op.set("/a", "1"), op.create("/mine/x")])),
        await culprit(zk.multi([op.delete("/mine/child")])),
        await culprit(owner.multi([op.create("/mine/x"), op.delete("/mine/child")])),
        (await zk.get("/a")).stat.version,
      ];
    },
    expected: [["NO_AUTH", 1, "/mine/x"], ["NO_AUTH", 0, "/mine/child"], "ok", 0],
  },
];
