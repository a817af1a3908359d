// A service that is ill where the host's ILL names its build, and fills the disk in its soak where FILL_AT says so.
import { spawn } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const { PORT, PID_FILE, DEPLOYD_BUILD, FILL_AT, FILLS, ILL } = process.env;
const fillsInSoak = FILL_AT === "soak" && FILLS === "yes";
const isIll = ILL === DEPLOYD_BUILD;
let asked = 0;
let filled = null;

const server = createServer(async (request, response) => {
  response.setHeader("connection", "close");
  asked += 1;
  // Its check takes two good answers.
  const soaks = asked > 2;
  if (fillsInSoak && soaks) {
    filled ??= new Promise((resolve) => spawn("sh", ["filling.sh", "soak"], { stdio: "ignore" }).on("exit", resolve));
    // One that is well goes on answering, however long that takes; one that is ill is found so on a full disk.
    if (isIll) await filled;
  }
  if (isIll && (soaks || !fillsInSoak)) response.statusCode = 500;
  response.end(`page of ${DEPLOYD_BUILD}`);
});
server.listen(Number(PORT), "127.0.0.1", () => {
  writeFileSync(`${PID_FILE}.new`, `${process.pid}\n`);
  renameSync(`${PID_FILE}.new`, PID_FILE);
});
process.on("SIGTERM", () => process.exit(0));
