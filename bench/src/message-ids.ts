import { randomBytes } from "node:crypto";

const NUMBER_AT = 24;
const NUMBER_LENGTH = 12;

/** Client message ids that carry the number of the message, so that a delivery leads back to it without a map. */
export class MessageIds {
  readonly prefix: string;

  /** `run` is 16 hex digits. */
  constructor(run: string = MessageIds.newRun()) {
    const variant = `${run.slice(0, 8)}-${run.slice(8, 12)}-4${run.slice(12, 15)}`;
    this.prefix = `${variant}-8${run.slice(13, 16)}-`;
  }

  static newRun(): string {
    return randomBytes(8).toString("hex");
  }

  /** A UUID. */
  of(message: number): string {
    return this.prefix + message.toString(16).padStart(NUMBER_LENGTH, "0");
  }

  /** Puts the number into an id that is written at a place. */
  writeNumber(bytes: Buffer, idAt: number, message: number): void {
    let rest = message;
    for (let at = idAt + NUMBER_AT + NUMBER_LENGTH - 1; at >= idAt + NUMBER_AT; at--) {
      const digit = rest % 16;
      bytes[at] = digit < 10 ? 48 + digit : 87 + digit;
      rest = Math.floor(rest / 16);
    }
  }

  /** The message's number; undefined when the id is of another run. */
  numberOf(id: string): number | undefined {
    return id.startsWith(this.prefix) ? Number.parseInt(id.slice(this.prefix.length), 16) : undefined;
  }
}
