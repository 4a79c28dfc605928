import assert from "node:assert/strict";
import { ServiceError } from "@oceanchat/runtime/fail";

/** Checks that something is refused for a reason, named without its prefix. */
export async function refused(what: Promise<unknown>, reason: string): Promise<ServiceError> {
  let thrown: unknown;
  try {
    await what;
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof ServiceError, `expected ${reason}, got ${String(thrown)}`);
  assert.equal(thrown.reason, `ERROR_REASON_${reason}`);
  return thrown;
}
