import { create } from "@bufbuild/protobuf";
import { Metadata, type ServerDuplexStream } from "@grpc/grpc-js";
import { BatchEncoder, type BatchItem, type BatchShape, decodeBatch } from "./batch.ts";
import { type ServiceError, shared } from "./fail.ts";
import { Gathering } from "./gathering.ts";
import { toGrpcStatus } from "./grpc-status.ts";
import type { CallContext } from "./handlers.ts";
import { toFailure } from "./wire-error.ts";

/** What a stream of batched calls needs to know beside its shape. */
export interface BatchService {
  readonly shape: BatchShape;
  readonly handler: (item: BatchItem, context: CallContext) => unknown;
  readonly maxItemsInFlight: number;
  readonly maxMessageBytes: number;
  /** Turns what a handler threw into the error to send, and logs it when it is a defect. */
  readonly report: (thrown: unknown) => ServiceError;
}

/**
 * The server's end of one stream of batched calls. Items start in the order of their arrival and don't wait for one another;
 * answers that become ready in the same turn of the event loop leave as one message, and while others are still to come those of a
 * moment do. An item is in flight until its answer has been written, so a slow handler and a slow reader are bounded alike: the
 * stream is then not read on.
 */
export class BatchServer {
  readonly #call: ServerDuplexStream<Buffer, Buffer>;
  readonly #service: BatchService;
  readonly #context: CallContext;
  readonly #encoder: BatchEncoder;
  #ready: BatchItem[] = [];
  #inFlight = 0;
  readonly #gathering = new Gathering(() => this.#flush());
  #blocked = false;
  #ended = false;
  #closed = false;

  constructor(call: ServerDuplexStream<Buffer, Buffer>, service: BatchService, context: CallContext) {
    this.#call = call;
    this.#service = service;
    this.#context = context;
    this.#encoder = new BatchEncoder(service.shape.output, service.maxMessageBytes);
    call.on("data", (bytes: Buffer) => this.#read(bytes));
    call.on("end", () => this.#end());
    call.on("drain", () => this.#unblock());
    call.on("cancelled", () => this.#close());
    call.on("error", () => this.#close());
    // Tells the caller that the stream is accepted: only then does it send, so it knows what was certainly not processed.
    call.sendMetadata(new Metadata());
  }

  #read(bytes: Buffer): void {
    if (this.#closed) return;
    let items: BatchItem[];
    try {
      items = decodeBatch(this.#service.shape.input, bytes);
    } catch (cause) {
      const error = shared.malformed("the message is not a batch of this method", cause);
      this.#call.emit("error", toGrpcStatus(error));
      return;
    }
    this.#inFlight += items.length;
    for (const item of items) void this.#answer(item);
    if (this.#inFlight > this.#service.maxItemsInFlight) this.#call.pause();
  }

  /** Never rejects. */
  async #answer(item: BatchItem): Promise<void> {
    const { shape, handler, report } = this.#service;
    try {
      const context = item.traceparent ? { ...this.#context, traceparent: item.traceparent } : this.#context;
      const answer = await handler(item, context);
      this.#push(create(shape.outputItem, answer as Record<string, unknown>) as BatchItem, item.ref);
    } catch (thrown) {
      this.#push(this.#failure(report(thrown)), item.ref);
    }
  }

  #failure(error: ServiceError): BatchItem {
    return create(this.#service.shape.outputItem, { failure: toFailure(error) }) as BatchItem;
  }

  #push(answer: BatchItem, ref: bigint): void {
    if (this.#closed) return;
    answer.ref = ref;
    this.#ready.push(answer);
    if (this.#blocked) return;
    const waiting = this.#ready.length;
    this.#gathering.added(waiting, this.#inFlight - waiting, this.#encoder.limit);
  }

  #flush(): void {
    this.#gathering.done();
    while (this.#ready.length > 0 && !this.#blocked && !this.#closed) {
      const answers = this.#ready.splice(0, this.#encoder.limit);
      for (const bytes of this.#encoder.encode(answers, this.#refuse)) {
        if (!this.#call.write(bytes)) this.#blocked = true;
      }
      this.#inFlight -= answers.length;
    }
    if (this.#inFlight <= this.#service.maxItemsInFlight && this.#call.isPaused()) this.#call.resume();
    if (this.#ended && this.#inFlight === 0 && !this.#closed) this.#call.end();
  }

  /** An answer that can't be sent is a defect of the handler; its caller is told so in its place. */
  readonly #refuse = (answer: BatchItem, cause: unknown): void => {
    this.#inFlight += 1;
    this.#push(this.#failure(this.#service.report(cause)), answer.ref);
  };

  #unblock(): void {
    this.#blocked = false;
    this.#flush();
  }

  /** The caller sends no more: what it has sent is answered yet. */
  #end(): void {
    this.#ended = true;
    if (this.#inFlight === 0 && !this.#closed) this.#call.end();
  }

  #close(): void {
    this.#closed = true;
    this.#gathering.done();
    this.#ready = [];
  }
}
