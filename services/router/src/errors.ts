import { type FieldViolation, shared } from "@oceanchat/runtime/fail";

/** What the router itself refuses. It has no reasons of its own: all are of the domain `oceanchat`. */
export const errors = {
  notAPacket: (cause: unknown) => shared.malformed("the frame is not a packet", cause),
  unreadable: (text: string) => shared.malformed(text),
  noCommand: () => shared.malformed("the packet holds no command"),
  unknownCommand: (name: string) => shared.unimplemented(`there is no command ${name} in this version`),
  alreadyConnected: () => shared.malformed("connect is only for the first frame of a TCP connection"),
  invalidFields: (violations: readonly FieldViolation[]) => shared.invalidFields(violations),
  rateLimited: (waitMs: number) => shared.rateLimited(waitMs),
  leftAlone: (target: string, waitMs: number) => shared.unavailable(`${target} does not answer`, undefined, waitMs),
  wrongAnswer: (command: string) => shared.internal(new Error(`${command} was answered with something else`)),
};
