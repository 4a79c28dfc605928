import assert from "node:assert/strict";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { BadRequestSchema, ErrorInfoSchema } from "@oceanchat/gen/google/rpc/error_details_pb";

export function publicClient<S extends DescService>(service: S, port: number, token?: string): Client<S> {
  const authorize: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const baseUrl = `http://127.0.0.1:${port}`;
  return createClient(service, createConnectTransport({ baseUrl, httpVersion: "2", interceptors: [authorize] }));
}

/** Checks that a call is refused with this code and ErrorInfo; gives the fields that were found wrong. */
export async function answers(
  call: Promise<unknown>,
  code: Code,
  reason: string,
  domain = "oceanchat",
): Promise<string[]> {
  let error: unknown;
  try {
    await call;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error instanceof ConnectError, `expected ${reason}, got ${String(error)}`);
  const [info] = error.findDetails(ErrorInfoSchema);
  assert.deepEqual(
    { code: Code[error.code], reason: info?.reason, domain: info?.domain },
    { code: Code[code], reason: `ERROR_REASON_${reason}`, domain },
  );
  return error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
}
