import { randomBytes } from "node:crypto";

/** Client message ids that carry the number of the message, so that a delivery leads back to it without a map. */
export class MessageIds {
  readonly #prefix: string;

  constructor(run: string = randomBytes(8).toString("hex")) {
    const variant = `${run.slice(0, 8)}-${run.slice(8, 12)}-4${run.slice(12, 15)}`;
    this.#prefix = `${variant}-8${run.slice(13, 16)}-`;
  }

  /** A UUID. */
  of(message: number): string {
    return this.#prefix + message.toString(16).padStart(12, "0");
  }

  /** The message's number; undefined when the id is of another run. */
  numberOf(id: string): number | undefined {
    return id.startsWith(this.#prefix) ? Number.parseInt(id.slice(this.#prefix.length), 16) : undefined;
  }
}
