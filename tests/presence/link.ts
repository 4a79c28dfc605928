import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** The way of one client to a gateway, which can be lost without either of them hearing of it. */
export interface Link {
  /** `host:port` for the client. */
  readonly address: string;
  /** Nothing passes any more, in neither direction; both ends stay open. */
  lose(): void;
  close(): void;
}

/** Opens a link to `host:port`. */
export async function openLink(to: string): Promise<Link> {
  const [host, port] = to.split(":");
  const sockets = new Set<Socket>();
  let lost = false;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    const gateway = connect(Number(port), host);
    keep(gateway);
    client.pipe(gateway).pipe(client);
    client.on("close", () => lost || gateway.destroy());
    gateway.on("close", () => lost || client.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    lose() {
      lost = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
