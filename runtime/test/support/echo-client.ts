import { create, type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, type ServiceError as GrpcError, Metadata } from "@grpc/grpc-js";
import { EchoService, ExchangeRequestSchema, type ExchangeResponse, ExchangeResponseSchema } from "./echo_pb.ts";

const asIs = (bytes: Buffer): Buffer => bytes;
const pathOf = (method: DescMethod) => `/${method.parent.typeName}/${method.name}`;

/** A bare gRPC client: sees what is on the wire. */
export function bareClient(address: string): Client {
  return new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
}

/** A unary call with any bytes as its request. */
export function bareCall<D extends DescMessage>(
  client: Client,
  method: DescMethod & { readonly output: D },
  request: Uint8Array,
  metadata: Record<string, string> = {},
  timeoutMs = 5000,
): Promise<MessageShape<D>> {
  const headers = new Metadata();
  for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
  const options = { deadline: Date.now() + timeoutMs };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(pathOf(method), asIs, asIs, Buffer.from(request), headers, options, (error, response) => {
      if (response === undefined) reject(error);
      else resolve(fromBinary(method.output, response));
    });
  });
}

/** One stream of batched calls, a message at a time. */
export class BareStream {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly messages: ExchangeResponse[] = [];
  failure: GrpcError | undefined;
  /** Ended without an error. */
  ended = false;
  #wake = Promise.withResolvers<void>();

  constructor(client: Client) {
    this.call = client.makeBidiStreamRequest(pathOf(EchoService.method.exchange), asIs, asIs, new Metadata());
    this.call.on("data", (bytes: Buffer) => {
      this.messages.push(fromBinary(ExchangeResponseSchema, bytes));
      this.#changed();
    });
    this.call.on("error", (error: GrpcError) => {
      this.failure = error;
      this.#changed();
    });
    this.call.on("end", () => {
      this.ended = true;
      this.#changed();
    });
  }

  #changed(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  /** Texts become items with refs from `firstRef` on. */
  send(firstRef: number, ...texts: string[]): void {
    this.sendItems(texts.map((text, i) => ({ ref: BigInt(firstRef + i), text })));
  }

  sendItems(items: { ref: bigint; text?: string; traceparent?: string }[]): void {
    this.call.write(Buffer.from(toBinary(ExchangeRequestSchema, create(ExchangeRequestSchema, { items }))));
  }

  get answers() {
    return this.messages.flatMap((message) => message.items);
  }

  /** Waits until something is true of the stream. */
  async until(done: (stream: this) => boolean): Promise<void> {
    while (!done(this)) await this.#wake.promise;
  }
}
