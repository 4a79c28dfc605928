// make logs SERVICE=auth: follows the log of every instance.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { layoutOf } from "./layout.ts";
import { STANDALONE } from "./service-specs.ts";
import { SERVICE_NAMES } from "./topology.ts";

const { state } = layoutOf();
const folder = join(state, "data/logs");
const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".log")) : [];
const wanted = process.argv[2] ?? "";
/** In the single process all services write one log. */
const shared = runsStandalone() && SERVICE_NAMES.some((name) => name === wanted);
const file = shared ? STANDALONE : wanted;
const chosen = names.filter((name) => name === `${file}.log` || name.replace(/-\d+\.log$/, "") === file);

if (chosen.length === 0) {
  const known = [...new Set(names.map((name) => name.replace(/(-\d+)?\.log$/, "")))].sort();
  console.error(
    known.length === 0 ? 'no logs yet; "make up" writes them' : `make logs SERVICE=…  one of: ${known.join(", ")}`,
  );
  process.exitCode = 1;
} else {
  const lines = shared ? "+1" : "50";
  const tail = spawn("tail", ["-n", lines, "-F", ...chosen], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  process.on("SIGINT", () => undefined); // tail gets it too and ends first
  tail.on("error", (error) => {
    console.error(`tail: ${error.message}`);
    process.exitCode = 1;
  });
  if (shared) {
    for await (const line of createInterface(tail.stdout)) {
      if (line.includes(`"service":"${wanted}"`)) process.stdout.write(`${line}\n`);
    }
  } else tail.stdout.pipe(process.stdout);
}

function runsStandalone(): boolean {
  const endpoints = join(state, "endpoints.json");
  return existsSync(endpoints) && JSON.parse(readFileSync(endpoints, "utf8")).mode === "standalone";
}
