import { once } from "node:events";
import { lstat, rm } from "node:fs/promises";
import type { Server } from "node:net";

/** Listens on a Unix socket, in place of one that an earlier process has left there. */
export async function listenOnUnixSocket(server: Server, path: string): Promise<void> {
  if (await isLeftOver(path)) await rm(path, { force: true });
  await once(server.listen(path), "listening");
}

/** Anything else than a socket is somebody's file: it stays, and listening fails. */
async function isLeftOver(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSocket();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
