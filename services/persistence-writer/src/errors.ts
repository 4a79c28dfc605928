/** The store will never take this record: it breaks a rule of the store itself, not a unique index. */
export class RecordRefusedError extends Error {
  override readonly name = "RecordRefusedError";
}

/** The archive of a conversation doesn't hold what it should: nothing of it is touched until somebody has looked. */
export class ArchiveConflictError extends Error {
  override readonly name = "ArchiveConflictError";
}
