import { shared } from "@oceanchat/runtime/fail";

/** What a command's failure becomes. */
export function unreachable(error: unknown): never {
  throw shared.unavailable("presence can't be read or written", error);
}
