import { connect, type Socket } from "node:net";

/** Asks a server once whether it works; rejects when it doesn't, or when the signal fires. */
export type Probe = (signal: AbortSignal) => Promise<void>;

export const HOST = "127.0.0.1";

/** Something accepts connections. */
export const tcpProbe =
  (port: number, host = HOST): Probe =>
  (signal) =>
    talk(port, host, signal, undefined, () => true);

/** A NATS server greets with INFO. */
export const natsProbe =
  (port: number, host = HOST): Probe =>
  (signal) =>
    talk(port, host, signal, undefined, (text) => text.startsWith("INFO {"));

/** A Redis or Valkey server answers PING, and is not loading a dump any more. */
export const redisProbe =
  (port: number, host = HOST): Probe =>
  (signal) =>
    talk(port, host, signal, "PING\r\n", (text) => text.startsWith("+PONG"));

/** GET answers 200. */
export const httpProbe =
  (url: string): Probe =>
  async (signal) => {
    const response = await fetch(url, { signal });
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
  };

function talk(
  port: number,
  host: string,
  signal: AbortSignal,
  greeting: string | undefined,
  accepts: (text: string) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket: Socket = connect({ port, host, signal });
    const settle = (error?: Error): void => {
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.on("error", settle);
    socket.on("close", () => settle(new Error(`${host}:${port} closed the connection`)));
    socket.on("connect", () => {
      if (greeting !== undefined) socket.write(greeting);
      else if (accepts(text)) settle();
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (accepts(text)) settle();
      else if (text.length > 4096) settle(new Error(`${host}:${port} speaks another protocol`));
    });
  });
}
