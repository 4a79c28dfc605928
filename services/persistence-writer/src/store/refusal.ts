import type { WriteError } from "mongodb";
import { RecordRefusedError } from "../errors.ts";

/** BadValue, DollarPrefixedFieldName, DocumentValidationFailure, BSONObjectTooLarge, KeyTooLong: the document's own fault. */
const REFUSED = new Set([2, 52, 121, 10334, 17280]);

/** Why a write failed: for the document's own fault, or for a reason that may pass. */
export function refusal(error: WriteError, cause: unknown): Error {
  const text = `the store refuses a record: ${error.code} ${error.errmsg ?? ""}`;
  return REFUSED.has(error.code) ? new RecordRefusedError(text, { cause }) : new Error(text, { cause });
}
