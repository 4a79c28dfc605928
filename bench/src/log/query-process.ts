import type { TestServers } from "@oceanchat/infra/servers-for-tests";
import { startServiceProcess } from "./service-process.ts";

/** Where query and who fills the store look. */
export const DATABASE = "oceanchat";

/** A query process over these servers, and how to end it; `peersPort` is that of a door with what it asks auth and group. */
export async function startQuery(servers: TestServers, peersPort: number) {
  const at = `127.0.0.1:${peersPort}`;
  const started = await startServiceProcess("query", servers, {
    OCEANCHAT_MONGODB_DATABASE: DATABASE,
    OCEANCHAT_AUTH_ADDRESSES: at,
    OCEANCHAT_GROUP_ADDRESSES: at,
  });
  return { port: started.publicPort, meshPort: started.meshPort, end: started.end };
}
