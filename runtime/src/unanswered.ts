/**
 * What is known of the peer: `lost`: there is no stream to it (any more). `silent`: nothing has come for too long, but its stream
 * stands, so what was sent on it may yet be processed and need not be sent there again. `busy`: it answers others, but has not come
 * to this call in time.
 */
export type WhyUnanswered = "lost" | "silent" | "busy";

/** Why a call has no answer: the cause of what its caller is told instead, which the service itself has not said. */
export class Unanswered extends Error {
  override readonly name = "Unanswered";
  readonly why: WhyUnanswered;

  constructor(why: WhyUnanswered) {
    super(`the peer is ${why}`);
    this.why = why;
  }
}
