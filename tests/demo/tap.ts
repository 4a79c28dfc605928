import { connect, type NatsConnection } from "@nats-io/transport-node";

/** Something that was published. */
export interface Published {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** Listens to what the services publish, without taking anything from them. */
export interface Tap {
  /** The first message that fits, seen already or still to come. */
  until(accepts: (message: Published) => boolean, timeoutMs?: number): Promise<Published>;
  close(): Promise<void>;
}

/** Taps subjects. */
export async function openTap(url: string, subjects: readonly string[]): Promise<Tap> {
  const connection: NatsConnection = await connect({ servers: url });
  const seen: Published[] = [];
  const arrived = new EventTarget();
  for (const subject of subjects) {
    connection.subscribe(subject, {
      callback: (error, message) => {
        if (error) throw error;
        seen.push({ subject: message.subject, data: message.data });
        arrived.dispatchEvent(new Event("message"));
      },
    });
  }
  await connection.flush();
  return {
    async until(accepts, timeoutMs = 20_000) {
      const late = AbortSignal.timeout(timeoutMs);
      for (;;) {
        const message = seen.find(accepts);
        if (message !== undefined) return message;
        await new Promise((resolve, reject) => {
          arrived.addEventListener("message", resolve, { once: true });
          late.addEventListener("abort", () => reject(new Error("nothing like that was published")), { once: true });
        });
      }
    },
    close: () => connection.close(),
  };
}
