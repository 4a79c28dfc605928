import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { TestServers } from "@oceanchat/infra/servers-for-tests";

const MAIN = fileURLToPath(new URL("../../../services/query/src/main.ts", import.meta.url));
/** Where query and who fills the store look. */
export const DATABASE = "oceanchat";

/** A query process over these servers, and how to end it; `meshPort` is that of a door with what it asks auth and group. */
export async function startQuery({ natsUrl, mongodbUrl, redisUrl }: TestServers, meshPort: number) {
  const child = spawn(process.execPath, [...process.execArgv, MAIN], {
    env: {
      ...process.env,
      OCEANCHAT_NATS_URL: natsUrl,
      OCEANCHAT_MONGODB_URL: mongodbUrl,
      OCEANCHAT_MONGODB_DATABASE: DATABASE,
      OCEANCHAT_REDIS_URL: redisUrl,
      OCEANCHAT_AUTH_ADDRESSES: `127.0.0.1:${meshPort}`,
      OCEANCHAT_GROUP_ADDRESSES: `127.0.0.1:${meshPort}`,
      OCEANCHAT_LISTEN_HOST: "127.0.0.1",
      OCEANCHAT_PUBLIC_PORT: "0",
      OCEANCHAT_MESH_PORT: "0",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`query ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes('"msg":"serving"')) resolve(Number(/"publicPort":(\d+)/.exec(line)?.[1]));
    });
  });
  return {
    port,
    async end() {
      const gone = once(child, "close");
      child.kill();
      await gone;
    },
  };
}
