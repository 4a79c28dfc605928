import { connect } from "node:net";

/** One request in the NATS protocol, without a driver: what JetStream answers, parsed. */
export function natsRequest(url: string, subject: string, body: string): Promise<Record<string, unknown>> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port), hostname);
    socket.setTimeout(5_000, () => socket.destroy(new Error(`${subject}: no answer`)));
    socket.on("error", reject);
    socket.on("connect", () => {
      socket.write(`CONNECT {"verbose":false}\r\nSUB answer 1\r\nPUB ${subject} answer ${body.length}\r\n${body}\r\n`);
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const message = /MSG answer 1 (\d+)\r\n/.exec(text);
      if (message === null) return;
      const payload = text.slice(message.index + message[0].length);
      if (payload.length < Number(message[1])) return;
      socket.destroy();
      const parsed: unknown = JSON.parse(payload.slice(0, Number(message[1])));
      resolve({ ...(typeof parsed === "object" ? parsed : {}) });
    });
  });
}
