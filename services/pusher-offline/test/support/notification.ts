import type { PushNotification } from "../../src/ports.ts";

/** A notification with everything set, but for the changes. */
export function notification(changes: Partial<PushNotification> = {}): PushNotification {
  return {
    recordId: "0197a1b2-0000-7000-8000-000000000001",
    conversationId: "g-0197a1b2-0000-7000-8000-0000000000aa",
    userId: "0197a1b2-0000-7000-8000-0000000000bb",
    title: "Alice",
    body: "hello",
    badge: 3,
    collapseId: "0197a1b2-0000-7000-8000-000000000001",
    data: { seq: "7" },
    expiresAtMs: Date.now() + 3_600_000,
    silent: false,
    ...changes,
  };
}
