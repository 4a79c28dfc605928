import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Installation } from "./installation.ts";

const MAIN = join(import.meta.dirname, "../../cli/src/main.ts");

/** How a run of the operator's tool ended. */
export interface OperatorRun {
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
}

/** Runs `oceanchat` against an installation; like every operator's it is told where that is by the environment. */
export async function operate({ mesh }: Installation, ...args: readonly string[]): Promise<OperatorRun> {
  const { infra, services } = mesh.endpoints;
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: {
      PATH: process.env.PATH,
      OCEANCHAT_NATS_URL: infra.nats,
      OCEANCHAT_MONGODB_URL: infra.mongodb,
      OCEANCHAT_PERSISTENCE_WRITER_ADDRESSES: services["persistence-writer"].map(({ mesh: door }) => door).join(","),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const [code] = await once(child, "close");
  return { code: code as number | null, out, errors };
}
