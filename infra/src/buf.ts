import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync } from "node:fs";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { loadInfraConfig } from "./config.ts";
import type { Layout } from "./layout.ts";
import { ensureVenv } from "./venv.ts";

const GOOGLE = [
  "google/api/annotations.proto",
  "google/api/http.proto",
  "google/rpc/code.proto",
  "google/rpc/error_details.proto",
  "google/rpc/status.proto",
];
const HEALTH = "grpc/health/v1/health.proto";

/** Other people's contracts that packages bring along, copied to where buf.yaml looks for them. */
export async function gatherThirdParty(layout: Layout): Promise<void> {
  const target = join(layout.state, "third_party");
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const { path, python } = loadInfraConfig(process.env);
  const venv = await ensureVenv({ layout, path, python, say });
  const [google] = globSync("lib/python3*/site-packages/google/api/annotations.proto", { cwd: venv });
  if (google === undefined)
    throw new Error(`${venv} holds no google/api/annotations.proto; remove that folder and try again`);
  const wheels = join(venv, dirname(google), "../..");
  const health = join(layout.root, "node_modules/grpc-health-check/proto/health/v1/health.proto");
  const sources = new Map([...GOOGLE.map((name) => [name, join(wheels, name)] as const), [HEALTH, health] as const]);
  for (const [name, source] of sources) {
    await mkdir(dirname(join(target, name)), { recursive: true });
    await copyFile(source, join(target, name));
  }
}

/** Runs buf at the root with its output on our terminal. Returns whether it was content. */
export function buf(layout: Layout, args: readonly string[]): boolean {
  const program = join(layout.root, "node_modules/.bin/buf");
  if (!existsSync(program)) throw new Error(`${program} is missing: run "make install"`);
  const { status, error } = spawnSync(process.execPath, [program, ...args], { cwd: layout.root, stdio: "inherit" });
  if (error !== undefined) throw error;
  return status === 0;
}

/** Writes gen/src and gen/descriptors.binpb below `target` (the root itself, or a copy to compare with). */
export async function generateInto(layout: Layout, target: string): Promise<boolean> {
  await gatherThirdParty(layout);
  const descriptors = join(target, "gen/descriptors.binpb");
  mkdirSync(dirname(descriptors), { recursive: true });
  if (!buf(layout, ["generate", "--output", target])) return false;
  const draft = `${descriptors}.${process.pid}.binpb`;
  if (!buf(layout, ["build", "--as-file-descriptor-set", "--exclude-source-info", "-o", draft])) {
    await rm(draft, { force: true });
    return false;
  }
  await copyFile(draft, descriptors);
  await rm(draft);
  return true;
}
