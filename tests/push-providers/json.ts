/** A copy of a JSON object, undefined for anything else. */
export function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

/** The JSON object in these bytes, undefined if it is anything else. */
export function jsonObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(bytes.toString("utf8")));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
