import { fromBinary } from "@bufbuild/protobuf";
import { type Error as ErrorPacket, ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { WebSocket } from "ws";

/** What a connection tells of what it receives. */
export interface Receiver {
  accepted(requestId: number, seq: number): void;
  failed(error: ErrorPacket): void;
  /** A message's record; "" for `clientMessageId` when the record is no message. */
  record(clientMessageId: string, conversationId: string, seq: number): void;
  /** The gateway withheld records: this connection reads too slowly. */
  hint(): void;
  /** The connection ended, by whichever side. */
  closed(why: string): void;
}

const HELLO_MS = 15_000;

/** A client that counts rather than stores: one WebSocket, binary codec. */
export class Connection {
  readonly gatewayId: string;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket, gatewayId: string) {
    this.#socket = socket;
    this.gatewayId = gatewayId;
  }

  /** Connects and waits for `hello`; from then on everything goes to the receiver. */
  static open(url: string, token: string, receiver: Receiver): Promise<Connection> {
    const socket = new WebSocket(url, ["oceanchat.v1"], {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      handshakeTimeout: HELLO_MS,
    });
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => fail(new Error(`${url}: no hello in ${HELLO_MS} ms`)), HELLO_MS);
      const fail = (error: Error): void => {
        clearTimeout(late);
        reject(error);
        socket.terminate();
      };
      socket.on("error", fail);
      socket.on("close", (code) => fail(new Error(`${url}: closed with ${code} before hello`)));
      socket.once("message", (data: Buffer) => {
        const { event } = fromBinary(ServerPacketSchema, data);
        if (event.case !== "hello") return fail(new Error(`${url}: ${event.case} instead of hello`));
        clearTimeout(late);
        socket.removeAllListeners();
        receive(socket, receiver);
        resolve(new Connection(socket, event.value.gatewayId));
      });
    });
  }

  send(packet: Uint8Array): void {
    this.#socket.send(packet);
  }

  /** An empty frame, so that nobody takes the connection for dead. */
  heartbeat(): void {
    this.#socket.send("");
  }

  /** Ends it without waiting for the other side. */
  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.close(1000);
    setTimeout(() => this.#socket.terminate(), 2_000).unref();
  }
}

function receive(socket: WebSocket, receiver: Receiver): void {
  let failure = "";
  socket.on("message", (data: Buffer) => {
    if (data.length > 0) take(data, receiver);
  });
  socket.on("error", (error) => {
    failure = error.message;
  });
  socket.on("close", (code, reason) => receiver.closed(`${code} ${reason.toString()} ${failure}`.trim()));
}

function take(data: Buffer, receiver: Receiver): void {
  const { requestId, event } = fromBinary(ServerPacketSchema, data);
  switch (event.case) {
    case "messageAccepted":
      receiver.accepted(requestId, Number(event.value.seq));
      break;
    case "error":
      receiver.failed(event.value);
      break;
    case "hint":
      receiver.hint();
      break;
    case "records":
      for (const { body, conversationId, seq } of event.value.records) {
        receiver.record(body.case === "message" ? body.value.clientMessageId : "", conversationId, Number(seq));
      }
  }
}
