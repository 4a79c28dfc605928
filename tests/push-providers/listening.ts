import { once } from "node:events";
import type { Server, Socket } from "node:net";

/** A server that listens on loopback. */
export interface Listening {
  readonly port: number;
  /** Stops at once: open connections are cut, as nobody waits for a test server. */
  close(): Promise<void>;
}

/** Starts listening on 127.0.0.1; port 0 is any free one. */
export async function listenOn(server: Server, port: number): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()); // a client that went away
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening"); // rejects when the port is taken
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server listens on no port");
  return {
    port: address.port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
