import { expect, test } from "bun:test";
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { usableHome, userByName } from "../../src/host/users.ts";
import { tempDir } from "../harness/tempdir.ts";

const isRoot = process.getuid?.() === 0;

test.if(isRoot)("a home is usable where it is there and its user may write in it", async () => {
  await using dir = await tempDir();
  await chmod(dir.path, 0o755);
  const nobody = userByName("nobody");
  const home = join(dir.path, "home");
  const user = { ...nobody, home };
  expect(await usableHome(user)).toBeNull();
  await mkdir(home);
  expect(await usableHome(user)).toBeNull();
  await chown(home, nobody.uid, nobody.gid);
  expect(await usableHome(user)).toBe(home);
  await chmod(home, 0o500);
  expect(await usableHome(user)).toBeNull();
  expect(await usableHome({ name: nobody.name, uid: nobody.uid, gid: nobody.gid })).toBeNull();
  // The agent's own user's.
  expect(await usableHome(undefined)).toBe(userByName("root").home ?? "");
});
