import { create, type DescMessage, type DescMethod, fromBinary, type Message, ScalarType } from "@bufbuild/protobuf";
import { type Failure, FailureSchema } from "@oceanchat/gen/oceanchat/errors/v1/failure_pb";
import { MessageEncoder } from "./message-encoder.ts";

/** What every item of a batched call has, whatever else its contract gives it. */
export type BatchItem = Message & { ref: bigint; readonly traceparent?: string; readonly failure?: Failure };
type Batch = Message & { readonly items: BatchItem[] };

/** The messages of a batched call. */
export interface BatchShape {
  readonly input: DescMessage;
  readonly inputItem: DescMessage;
  readonly output: DescMessage;
  readonly outputItem: DescMessage;
}

/** Checks that a bidi method keeps the convention of batched calls; everything below relies on it. */
export function batchShape(method: DescMethod): BatchShape {
  const outputItem = itemSchema(method.output);
  const failure = outputItem.field.failure;
  if (failure?.message?.typeName !== FailureSchema.typeName || failure.oneof !== undefined) {
    throw new TypeError(`${outputItem.typeName} has no field failure of type ${FailureSchema.typeName}`);
  }
  return { input: method.input, inputItem: itemSchema(method.input), output: method.output, outputItem };
}

function itemSchema(batch: DescMessage): DescMessage {
  const items = batch.field.items;
  if (items?.fieldKind !== "list" || items.listKind !== "message") {
    throw new TypeError(`${batch.typeName} has no repeated message field items`);
  }
  const ref = items.message.field.ref;
  if (ref?.fieldKind !== "scalar" || ref.scalar !== ScalarType.UINT64 || ref.longAsString) {
    throw new TypeError(`${items.message.typeName} has no field uint64 ref`);
  }
  return items.message;
}

/** Throws when the bytes are no such message. */
export function decodeBatch(schema: DescMessage, bytes: Uint8Array): BatchItem[] {
  return (fromBinary(schema, bytes) as Batch).items;
}

const MAX_ITEMS = 256;
const TARGET_BYTES = 512 * 1024;

/**
 * Puts items into messages of at most 256 items and about 512 KiB. Encoding a whole batch costs a third of encoding items
 * one by one, so sizes aren't measured beforehand: the batch's length follows the average size of the items before.
 */
export class BatchEncoder {
  readonly #schema: DescMessage;
  readonly #maxBytes: number;
  readonly #encoder = new MessageEncoder();
  #averageBytes = 256;

  /** `maxBytes`: what a message must never exceed. */
  constructor(schema: DescMessage, maxBytes: number) {
    this.#schema = schema;
    this.#maxBytes = maxBytes;
  }

  /** How many items the next batch should have. */
  get limit(): number {
    return Math.max(1, Math.min(MAX_ITEMS, Math.floor(TARGET_BYTES / this.#averageBytes)));
  }

  /** Encodes a batch; an item that can't be encoded or is too large by itself goes to `refuse` and harms no other. */
  encode(items: BatchItem[], refuse: (item: BatchItem, cause: unknown) => void): Buffer[] {
    let cause: unknown;
    try {
      const { buffer, byteOffset, byteLength } = this.#encoder.encode(this.#schema, create(this.#schema, { items }));
      const bytes = Buffer.from(buffer, byteOffset, byteLength);
      this.#averageBytes += (bytes.length / items.length - this.#averageBytes) / 8;
      if (bytes.length <= this.#maxBytes) return [bytes];
      cause = new RangeError(`a message of ${bytes.length} bytes is larger than ${this.#maxBytes}`);
    } catch (thrown) {
      cause = thrown;
    }
    const [first] = items;
    if (first !== undefined && items.length === 1) {
      refuse(first, cause);
      return [];
    }
    const middle = items.length >> 1;
    return [...this.encode(items.slice(0, middle), refuse), ...this.encode(items.slice(middle), refuse)];
  }
}
