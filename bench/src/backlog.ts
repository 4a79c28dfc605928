import { connect } from "node:net";

/** What a consumer of the log still has to do. */
export interface Backlog {
  readonly consumer: string;
  /** Records that it has not been given yet, and those that it has not acknowledged. */
  readonly records: number;
}

const ANSWER_MS = 5_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Asks NATS what the consumers of the log still have before them: the store's writer and the orchestrator. */
export async function logBacklog(natsUrl: string): Promise<Backlog[]> {
  const answer = JSON.parse(await natsRequest(natsUrl, "$JS.API.CONSUMER.LIST.LOG", ""));
  const consumers: unknown = answer?.consumers;
  if (!Array.isArray(consumers)) throw new Error(`NATS lists no consumers: ${JSON.stringify(answer).slice(0, 200)}`);
  return consumers.map((info) => ({
    consumer: String(info?.name),
    records: Number(info?.num_pending ?? 0) + Number(info?.num_ack_pending ?? 0),
  }));
}

/** One request in NATS' own protocol; a driver would bring more than is needed. */
function natsRequest(url: string, subject: string, body: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(Number(port || 4222), hostname);
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`${subject}: no answer`)));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${subject}: NATS closed the connection`)));
    socket.on("connect", () => {
      socket.write(`CONNECT {"verbose":false}\r\nSUB answer 1\r\nPUB ${subject} answer ${body.length}\r\n${body}\r\n`);
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.length > MAX_ANSWER_BYTES) socket.destroy(new Error(`${subject}: the answer is too long`));
      const message = /MSG answer 1 (\d+)\r\n/.exec(text);
      if (message === null) return;
      const start = message.index + message[0].length;
      const end = start + Number(message[1]);
      if (text.length < end) return;
      resolve(text.slice(start, end));
      socket.destroy();
    });
  });
}
