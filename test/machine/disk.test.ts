import { describe, expect, test } from "bun:test";
import { hostDisk } from "../../src/host/disk.ts";
import { stage } from "../sim/host/stage.ts";
import { tempDir } from "../harness/tempdir.ts";
import { diskCases } from "./disk_contract.ts";

const cases = diskCases.map((diskCase) => [diskCase.name, diskCase] as const);

describe("on the disk of this machine", () => {
  test.each(cases)("%s", async (_, { script, outcome }) => {
    await using dir = await tempDir();
    expect(await script(hostDisk, dir.path)).toEqual(outcome);
  });
});

describe("on a simulated disk", () => {
  test.each(cases)("%s", async (name, { script, outcome }) => {
    const { host, play } = stage(name);
    const { machine } = host.newLife();
    host.disk.makeDirectory("/srv/test");
    expect(await play(script(machine.disk, "/srv/test"))).toEqual(outcome);
  });
});
