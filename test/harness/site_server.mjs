// The service that the end-to-end tests deploy: a plain HTTP server on Node's own modules. It reads its page once, when
// it starts, as a program reads its code: only a restart brings another build.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const { PORT, DEPLOYD_SHARED } = process.env;
const page = readFileSync(new URL("page.txt", import.meta.url), "utf8");
const sick = page.startsWith("sick");

const server = createServer((request, response) => {
  response.setHeader("connection", "close");
  if (sick) response.statusCode = 500;
  response.end(request.url === "/health" ? `${sick ? "no database" : "ok"}\n` : page);
});
server.listen(Number(PORT), "127.0.0.1", () => {
  // Only who has the port may name itself: a second copy fails to listen and must not be taken for the service.
  const file = `${DEPLOYD_SHARED}/run/pid`;
  writeFileSync(`${file}.${process.pid}`, `${process.pid}\n`);
  renameSync(`${file}.${process.pid}`, file);
});
process.on("SIGTERM", () => process.exit(0));
