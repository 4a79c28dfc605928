import { type DescField, type DescMessage, type Message, ScalarType, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

type Fields = Readonly<Record<string, unknown>>;
type Write<T> = (writer: BinaryWriter, value: T) => void;
/** How a value is written behind its tag, and whether it is the one that isn't written at all. */
interface Kind {
  readonly wire: WireType;
  readonly write: Write<unknown>;
  readonly isZero: (value: unknown) => boolean;
}

/** A writer whose buffer has become larger is given up. */
const KEPT_BYTES = 256 * 1024;
const PROTO3 = 999;

/**
 * Encodes messages as `toBinary` does, byte for byte, but with one writer that is kept: `toBinary` makes a new one each time, and its
 * buffers, each twice as large as the one before, cost a small message twice as much as writing it.
 *
 * What the contracts hardly use (maps, floating point, repeated numbers, wrappers, other syntaxes than proto3) is left to `toBinary`,
 * message by message.
 */
export class MessageEncoder {
  readonly #writes = new Map<DescMessage, Write<Message>>();
  #writer = new BinaryWriter();

  /** The message's bytes, which are the caller's. Throws when it can't be encoded. */
  encode(schema: DescMessage, message: Message): Uint8Array<ArrayBuffer> {
    const writer = this.#writer;
    try {
      this.#writeOf(schema)(writer, message);
      const bytes = writer.finish();
      if (bytes.length > KEPT_BYTES) this.#writer = new BinaryWriter();
      return bytes;
    } catch (error) {
      // It is in the middle of a message.
      this.#writer = new BinaryWriter();
      throw error;
    }
  }

  #writeOf(desc: DescMessage): Write<Message> {
    const known = this.#writes.get(desc);
    if (known !== undefined) return known;
    const write = isPlain(desc) ? this.#plain(desc) : leftToLibrary(desc);
    this.#writes.set(desc, write);
    return write;
  }

  #plain(desc: DescMessage): Write<Message> {
    let fields: readonly Write<Fields>[] | undefined;
    return (writer, message) => {
      if (message.$typeName !== desc.typeName) throw new TypeError(`${message.$typeName} is no ${desc.typeName}`);
      // Made with the first message: types may hold themselves.
      fields ??= [...desc.fields].sort((a, b) => a.number - b.number).map((field) => this.#field(field));
      for (const write of fields) write(writer, message as Message & Fields);
      for (const { no, wireType, data } of message.$unknown ?? []) writer.tag(no, wireType).raw(data);
    };
  }

  #field(field: DescField): Write<Fields> {
    const { localName: name, number, oneof } = field;
    const { wire, write, isZero } = this.#kindOf(field);
    if (field.fieldKind === "list") {
      return (writer, message) => {
        for (const item of message[name] as readonly unknown[]) write(writer.tag(number, wire), item);
      };
    }
    if (oneof !== undefined) {
      const group = oneof.localName;
      return (writer, message) => {
        const chosen = message[group] as { readonly case: string | undefined; readonly value?: unknown };
        if (chosen.case === name) write(writer.tag(number, wire), chosen.value);
      };
    }
    const optional = field.fieldKind === "message" || field.proto.proto3Optional;
    return (writer, message) => {
      const value = message[name];
      if (optional ? value !== undefined : !isZero(value)) write(writer.tag(number, wire), value);
    };
  }

  #kindOf(field: DescField): Kind {
    const child = field.message;
    if (child === undefined) return scalarKind(field.scalar ?? ScalarType.INT32);
    const writeChild = this.#writeOf(child);
    return {
      wire: WireType.LengthDelimited,
      isZero: (value) => value === undefined,
      write: (writer, value) => {
        writer.fork();
        writeChild(writer, value as Message);
        writer.join();
      },
    };
  }
}

function scalarKind(type: ScalarType): Kind {
  const kind = SCALARS.get(type);
  if (kind === undefined) throw new TypeError(`no way to write scalars of type ${type}`);
  return kind;
}

const isNoNumber = (value: unknown) => value === 0 || value === 0n || value === "0";

const SCALARS: ReadonlyMap<ScalarType, Kind> = new Map<ScalarType, Kind>([
  [
    ScalarType.STRING,
    {
      wire: WireType.LengthDelimited,
      write: (w, v) => void w.string(v as string),
      isZero: (v) => v === "",
    },
  ],
  [
    ScalarType.BYTES,
    {
      wire: WireType.LengthDelimited,
      write: (w, v) => void w.bytes(v as Uint8Array),
      isZero: (v) => (v as Uint8Array).byteLength === 0,
    },
  ],
  [ScalarType.BOOL, { wire: WireType.Varint, write: (w, v) => void w.bool(v as boolean), isZero: (v) => v === false }],
  [ScalarType.INT32, { wire: WireType.Varint, write: (w, v) => void w.int32(v as number), isZero: isNoNumber }],
  [ScalarType.UINT32, { wire: WireType.Varint, write: (w, v) => void w.uint32(v as number), isZero: isNoNumber }],
  [ScalarType.INT64, { wire: WireType.Varint, write: (w, v) => void w.int64(v as bigint), isZero: isNoNumber }],
  [ScalarType.UINT64, { wire: WireType.Varint, write: (w, v) => void w.uint64(v as bigint), isZero: isNoNumber }],
]);

/** Messages that hold something else than they seem to, or that aren't worth a way of their own. */
const OWN_SHAPE = /^google\.protobuf\.(?!(Timestamp|Duration)$)/;

function isPlain({ file, fields, typeName }: DescMessage): boolean {
  return file.edition === PROTO3 && !OWN_SHAPE.test(typeName) && fields.every(isPlainField);
}

function isPlainField(field: DescField): boolean {
  if (field.message !== undefined) return field.fieldKind !== "map" && !OWN_SHAPE.test(field.message.typeName);
  if (field.fieldKind === "map") return false;
  if (field.fieldKind === "list") return field.listKind === "scalar" && field.scalar === ScalarType.STRING;
  return field.fieldKind === "enum" || (field.fieldKind === "scalar" && SCALARS.has(field.scalar));
}

function leftToLibrary(desc: DescMessage): Write<Message> {
  return (writer, message) => void writer.raw(toBinary(desc, message));
}
