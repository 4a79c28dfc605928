/** An answer as the edge gave it. */
export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON body; undefined when there was none. */
  readonly body: unknown;
}

/** A REST call through the edge. */
export async function rest(
  edge: string,
  method: string,
  path: string,
  options: { readonly token?: string; readonly body?: unknown; readonly raw?: string } = {},
): Promise<RestAnswer> {
  const payload = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const response = await fetch(`${edge}${path}`, {
    method,
    headers: {
      ...(payload === undefined ? {} : { "content-type": "application/json" }),
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    },
    ...(payload === undefined ? {} : { body: payload }),
    signal: AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? undefined : parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A REST call that must succeed. */
export async function restOk<T>(...call: Parameters<typeof rest>): Promise<T> {
  const { status, body } = await rest(...call);
  if (status !== 200) throw new Error(`${call[1]} ${call[2]}: ${status} ${JSON.stringify(body)}`);
  return body as T;
}

/** The reason in an error body's ErrorInfo. */
export function reasonOf(body: unknown): string | undefined {
  const details = (body as { details?: readonly Record<string, unknown>[] } | undefined)?.details;
  const info = details?.find((detail) => String(detail["@type"]).endsWith("google.rpc.ErrorInfo"));
  return typeof info?.reason === "string" ? info.reason : undefined;
}
