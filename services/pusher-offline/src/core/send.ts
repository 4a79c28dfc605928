import type { SendTask } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { admit, type Breaker, CLOSED_BREAKER, failed, succeeded } from "../breaker.ts";
import type { PushProvider, PushStore, SendOutcome } from "../ports.ts";
import { decisionAbout } from "./dispatch.ts";
import { notificationOf } from "./notification.ts";

/** What becomes of a task: done, again later, or never. */
export type SendResult = "done" | { readonly retryAfterMs: number } | { readonly dead: string };

/** Sends the notifications of one provider, each once. */
export interface Sender {
  /** `attempts` counts the tries before this one. */
  handle(task: SendTask, attempts: number): Promise<SendResult>;
}

export interface SenderOptions {
  readonly store: PushStore;
  readonly provider: PushProvider;
  readonly maxAttempts: number;
  readonly now: () => number;
}

/** The first pause after a failure, doubled each time up to the longest. */
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 5 * 60_000;

/** Makes a provider's sender. */
export function createSender({ store, provider, maxAttempts, now }: SenderOptions): Sender {
  let breaker: Breaker = CLOSED_BREAKER;

  async function guarded(task: SendTask, token: string): Promise<SendOutcome> {
    const admission = admit(breaker, now());
    if (!admission.admitted)
      return { kind: "retry", scope: "local", afterMs: admission.waitMs, reason: "breaker open" };
    breaker = admission.next;
    const outcome = await provider.send(token, notificationOf(task, now()));
    const providerFailed = outcome.kind === "retry" && outcome.scope === "provider";
    breaker = providerFailed
      ? failed(breaker, admission.trial, now(), outcome.afterMs)
      : succeeded(breaker, admission.trial);
    return outcome;
  }

  return {
    async handle(task, attempts) {
      const token = await store.token(task.tokenId);
      if (token === undefined || token.userId !== task.userId) {
        await store.decide(decisionAbout(task, task, "token_gone", "", now())); // logged out, or moved to somebody else
        return "done";
      }
      const earlier = await store.claim(decisionAbout(task, task, "sending", provider.name, now()));
      // "sending" means that a process ended in the middle: the repeat has the same ids, so the device shows it once.
      if (earlier !== undefined && earlier.decision !== "sending") return "done";
      const outcome = await guarded(task, token.token);
      const decide = (decision: string, detail: string) =>
        store.decide(decisionAbout(task, task, decision, detail, now()));
      switch (outcome.kind) {
        case "sent":
          await decide("sent", outcome.providerMessageId);
          return "done";
        case "invalid-token":
          await store.removeInvalid(task.tokenId, outcome.since ?? now());
          await decide("invalid_token", provider.name);
          return "done";
        case "rejected":
          await decide("rejected", outcome.reason);
          return "done";
        case "retry": {
          if (outcome.scope !== "local" && attempts + 1 >= maxAttempts) {
            await decide("given_up", outcome.reason);
            return { dead: `${provider.name}: ${outcome.reason}` };
          }
          const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempts, 20), LONGEST_RETRY_MS);
          return {
            retryAfterMs:
              outcome.scope === "local" ? (outcome.afterMs ?? FIRST_RETRY_MS) : Math.max(pauseMs, outcome.afterMs ?? 0),
          };
        }
      }
    },
  };
}
