/** Request types, from `ZooDefs.OpCode` of Apache ZooKeeper. */
export const OpCode = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  closeSession: -11,
  error: -1,
} as const;

/** Transaction ids below zero mark packets that are not the answer to a numbered request. */
export const Xid = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const;

/** `Watcher.Event.EventType`. */
export const EventType = { created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 } as const;

/** The kinds of change to a node. */
export type ChangeType = "created" | "deleted" | "data-changed" | "children-changed";

/** The change of an event type; undefined for a type that this table does not know, as from a newer server. */
export function changeTypeOf(eventType: number): ChangeType | undefined {
  switch (eventType) {
    case EventType.created:
      return "created";
    case EventType.deleted:
      return "deleted";
    case EventType.dataChanged:
      return "data-changed";
    case EventType.childrenChanged:
      return "children-changed";
    default:
      return undefined;
  }
}

/** `Watcher.WatcherType`, the kinds that every server since 3.5 knows. */
export const WatcherType = { children: 1, data: 2, any: 3 } as const;

export const AddWatchMode = { persistent: 0, "persistent-recursive": 1 } as const;

const createFlags = {
  persistent: 0,
  ephemeral: 1,
  "persistent-sequential": 2,
  "ephemeral-sequential": 3,
  container: 4,
  "persistent-ttl": 5,
  "persistent-sequential-ttl": 6,
} as const;

/**
 * How long a node lives and whether the server appends a counter to its name. The two `ttl` modes need a server with
 * `extendedTypesEnabled`; an empty `container` is removed by the server some time after its last child.
 */
export type CreateMode = keyof typeof createFlags;

export function createFlag(mode: CreateMode): number {
  return createFlags[mode];
}

export function isSequential(mode: CreateMode): boolean {
  return mode.includes("sequential");
}

export function createModeOf(flag: number): CreateMode | undefined {
  return (Object.keys(createFlags) as CreateMode[]).find((mode) => createFlags[mode] === flag);
}

/** The most bytes of a frame without its length prefix: the default of a server's `jute.maxbuffer`. */
export const maxRequestBytes = 1_048_575;
