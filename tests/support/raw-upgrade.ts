import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Connects without saying anything yet. */
export async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** An upgrade as a client writes it. */
export const upgradeRequest = (token: string, protocol = "oceanchat.v1"): string =>
  [
    "GET /ws HTTP/1.1",
    "Host: edge",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    `Sec-WebSocket-Protocol: ${protocol}`,
    `Authorization: Bearer ${token}`,
    "\r\n",
  ].join("\r\n");

/** A frame as clients send it: masked, with zeros. `first` is the byte of FIN, RSV bits and opcode. */
export function maskedFrame(first: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  if (payload.length > 125) throw new RangeError("only for short frames");
  return Buffer.concat([Buffer.of(first, 0x80 | payload.length, 0, 0, 0, 0), payload]);
}

/** Upgrades, writes bytes, and gives the code of the close frame that comes back. */
export async function closeCodeAfter(url: string, request: string, bytes: Uint8Array): Promise<number | undefined> {
  const socket = await openSocket(url);
  const read: Buffer[] = [];
  const closed = new Promise<number | undefined>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      // What to write waits for the answer to the upgrade.
      if (read.push(chunk) === 1) socket.write(bytes);
      const code = closeCodeOf(Buffer.concat(read));
      if (code !== undefined) socket.end();
    });
    socket.on("close", () => resolve(closeCodeOf(Buffer.concat(read))));
  });
  socket.write(request);
  return closed;
}

/** Walks through the server's frames, which have no mask, to the close frame. */
function closeCodeOf(bytes: Buffer): number | undefined {
  const head = bytes.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  for (let at = head + 4; at + 4 <= bytes.length; ) {
    const short = bytes.readUInt8(at + 1) & 0x7f;
    const header = short === 126 ? 4 : 2;
    if (bytes[at] === 0x88) return bytes.readUInt16BE(at + header);
    at += header + (short === 126 ? bytes.readUInt16BE(at + 2) : short);
  }
  return undefined;
}
