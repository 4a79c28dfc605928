// make down: stops a running make up, in order, and waits for it.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { layoutOf } from "./layout.ts";
import { lockOwner } from "./lock.ts";
import { ownerLock } from "./processes.ts";

const TIMEOUT_MS = 90_000;

const lock = ownerLock(join(layoutOf().state, "data"));
const pid = await lockOwner(lock);
if (pid === undefined) {
  console.log("nothing is running");
} else {
  process.kill(pid, "SIGTERM");
  const deadline = Date.now() + TIMEOUT_MS;
  while ((await lockOwner(lock)) === pid && Date.now() < deadline) await delay(100);
  const stopped = (await lockOwner(lock)) !== pid;
  console.log(stopped ? `stopped (pid ${pid})` : `pid ${pid} has not stopped in ${TIMEOUT_MS / 1000} s`);
  if (!stopped) process.exitCode = 1;
}
