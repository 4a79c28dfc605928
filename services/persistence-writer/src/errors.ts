/** The store will never take this record: it breaks a rule of the store itself, not a unique index. */
export class RecordRefusedError extends Error {
  override readonly name = "RecordRefusedError";
}
