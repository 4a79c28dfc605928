import type { TestServers } from "@oceanchat/infra/servers-for-tests";
import { startServiceProcess } from "./service-process.ts";

/** Where query and who fills the store look. */
export const DATABASE = "oceanchat";

/** A query process over these servers, and how to end it; `meshPort` is that of a door with what it asks auth and group. */
export async function startQuery(servers: TestServers, meshPort: number) {
  const at = `127.0.0.1:${meshPort}`;
  const { publicPort, end } = await startServiceProcess("query", servers, {
    OCEANCHAT_MONGODB_DATABASE: DATABASE,
    OCEANCHAT_AUTH_ADDRESSES: at,
    OCEANCHAT_GROUP_ADDRESSES: at,
  });
  return { port: publicPort, end };
}
