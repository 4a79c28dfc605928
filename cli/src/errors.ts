/** The command was not written as it must be: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The command can't do what it was asked, for a reason that the message says: exit code 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
