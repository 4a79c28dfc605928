// The contracts: lint, format, and nothing broken since main.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buf, gatherThirdParty } from "./buf.ts";
import { layoutOf } from "./layout.ts";

// buf reads buf.yaml only for source folders; two descriptor sets are compared here, so the rules are repeated.
const BREAKING = JSON.stringify({
  version: "v1",
  breaking: { use: ["FILE"], ignore: ["buf", "google", "grpc"] },
});

const layout = layoutOf();
const folder = mkdtempSync(join(tmpdir(), "oceanchat-proto-"));
try {
  await gatherThirdParty(layout);
  const results = {
    lint: buf(layout, ["lint"]),
    format: buf(layout, ["format", "--diff", "--exit-code", "--path", "proto/oceanchat"]),
    breaking: breaking(),
  };
  for (const [name, good] of Object.entries(results)) console.log(`proto ${name}: ${good ? "ok" : "FAILED"}`);
  if (Object.values(results).includes(false)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}

function breaking(): boolean {
  const before = descriptorsOfMain();
  if (before === undefined) {
    console.log("proto breaking: main has no gen/descriptors.binpb, nothing to compare with");
    return true;
  }
  const [then, now] = [join(folder, "main.binpb"), join(folder, "now.binpb")];
  writeFileSync(then, before);
  return (
    buf(layout, ["build", "--as-file-descriptor-set", "-o", now]) &&
    buf(layout, ["breaking", now, "--against", then, "--config", BREAKING])
  );
}

function descriptorsOfMain(): Buffer | undefined {
  try {
    const quiet = { cwd: layout.root, maxBuffer: 64 * 1024 * 1024, stdio: ["ignore", "pipe", "ignore"] as const };
    return execFileSync("git", ["show", "main:gen/descriptors.binpb"], { ...quiet, stdio: [...quiet.stdio] });
  } catch (error) {
    if (error instanceof Error && "status" in error && error.status === 128) return undefined; // no such branch or file
    throw error;
  }
}
