import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Source } from "./import-rules.ts";

/** The hand-written TypeScript of the repository, also what is not committed yet. */
export function handWrittenSources(root: string): Source[] {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.ts"];
  const deleted = new Set(list(root, ["ls-files", "-z", "--deleted", "--", "*.ts"]));
  return list(root, args)
    .filter((path) => !path.startsWith("gen/src/") && !path.endsWith("_pb.ts") && !deleted.has(path))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

function list(root: string, args: string[]): string[] {
  const output = execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  return output.split("\0").filter((path) => path !== "");
}
