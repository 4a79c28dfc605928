import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";

/** Stands between a test's client and a server, so that the way between them can be cut while both live. */
export interface Relay {
  /** The server's URL, by way of the relay. */
  readonly url: string;
  /** Breaks every connection, and each new one. */
  cut(): void;
  /** Drops what a client sends next, and breaks that connection then. */
  trap(): void;
  /** Lets connections through again. */
  mend(): void;
  close(): Promise<void>;
}

/** Opens a relay before the server of a URL with a single host. */
export async function openRelay(url: string): Promise<Relay> {
  const { host, hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let cut = false;
  let trapped = false;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };
  const relay = createServer((client) => {
    keep(client);
    if (cut) return void client.destroy();
    const server = connect(Number(port), hostname);
    keep(server);
    const pass = new Transform({
      transform(bytes, _encoding, done) {
        if (trapped) client.destroy();
        else this.push(bytes);
        done();
      },
    });
    client.pipe(pass).pipe(server).pipe(client);
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.replace(host, `127.0.0.1:${(relay.address() as AddressInfo).port}`),
    cut() {
      cut = true;
      breakAll();
    },
    trap() {
      trapped = true;
    },
    mend() {
      cut = false;
      trapped = false;
    },
    async close() {
      relay.close();
      breakAll();
      await once(relay, "close");
    },
  };
}
