// make logs SERVICE=auth: follows the log of every instance.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { layoutOf } from "./layout.ts";

const folder = join(layoutOf().state, "data/logs");
const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".log")) : [];
const wanted = process.argv[2] ?? "";
const chosen = names.filter((name) => name === `${wanted}.log` || name.replace(/-\d+\.log$/, "") === wanted);

if (chosen.length === 0) {
  const known = [...new Set(names.map((name) => name.replace(/(-\d+)?\.log$/, "")))].sort();
  console.error(
    known.length === 0 ? 'no logs yet; "make up" writes them' : `make logs SERVICE=…  one of: ${known.join(", ")}`,
  );
  process.exitCode = 1;
} else {
  const tail = spawn("tail", ["-n", "50", "-F", ...chosen], { cwd: folder, stdio: "inherit" });
  process.on("SIGINT", () => undefined); // tail gets it too and ends first
  tail.on("error", (error) => {
    console.error(`tail: ${error.message}`);
    process.exitCode = 1;
  });
}
