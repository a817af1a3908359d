import type { Acl, Stat } from "../znode.ts";
import type { JuteReader, JuteWriter } from "./jute.ts";

export function readStat(reader: JuteReader): Stat {
  return {
    czxid: reader.long(),
    mzxid: reader.long(),
    ctime: reader.longAsNumber(),
    mtime: reader.longAsNumber(),
    version: reader.int(),
    cversion: reader.int(),
    aversion: reader.int(),
    ephemeralOwner: reader.long(),
    dataLength: reader.int(),
    numChildren: reader.int(),
    pzxid: reader.long(),
  };
}

export function writeStat(writer: JuteWriter, stat: Stat): void {
  writer
    .long(stat.czxid)
    .long(stat.mzxid)
    .long(BigInt(stat.ctime))
    .long(BigInt(stat.mtime))
    .int(stat.version)
    .int(stat.cversion)
    .int(stat.aversion)
    .long(stat.ephemeralOwner)
    .int(stat.dataLength)
    .int(stat.numChildren)
    .long(stat.pzxid);
}

export function readAcls(reader: JuteReader): Acl[] {
  return reader.list((each) => ({ perms: each.int(), scheme: each.string(), id: each.string() }));
}

export function writeAcls(writer: JuteWriter, acls: readonly Acl[]): void {
  writer.int(acls.length);
  for (const acl of acls) writer.int(acl.perms).string(acl.scheme).string(acl.id);
}
