import { shared } from "@oceanchat/runtime/fail";

/** What a read that fails is for the caller. */
export function unreachable(error: unknown): never {
  throw shared.unavailable("the message store can't be read", error);
}
