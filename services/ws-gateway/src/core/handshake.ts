import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { bearerOf } from "@oceanchat/runtime/token";
import { errors } from "../errors.ts";

/** The headers of an upgrade that matter. */
export interface UpgradeHeaders {
  readonly authorization?: string | undefined;
  readonly origin?: string | undefined;
  readonly "sec-websocket-protocol"?: string | undefined;
}

/** What an upgrade asks for; who asks is for the token to prove. */
export interface UpgradeRequest {
  readonly token: string;
  readonly codec: Codec;
}

const CODECS: ReadonlyMap<string, Codec> = new Map([
  ["oceanchat.v1", Codec.BINARY],
  ["oceanchat.v1.json", Codec.JSON],
]);
const BEARER = "oceanchat.bearer.";

/** Reads an upgrade; throws what it is refused with. */
export function readUpgrade(url: string, headers: UpgradeHeaders, origins: ReadonlySet<string>): UpgradeRequest {
  // Servers and proxies log URLs: whoever puts a token there must learn at once that this doesn't work.
  if (url.includes("?")) throw errors.queryRefused();
  const { origin } = headers;
  // Browsers always send one. Programs don't, and can't be made to connect by a page that somebody visits.
  if (origin !== undefined && !origins.has(origin)) throw errors.originRefused();
  const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((protocol) => protocol.trim());
  const token = tokenOf(headers.authorization, offered);
  const chosen = chooseProtocol(offered);
  if (chosen === undefined) throw errors.noSubprotocol([...CODECS.keys()]);
  return { token, codec: chosen.codec };
}

/** The first of the offered subprotocols that we speak. */
export function chooseProtocol(
  offered: Iterable<string>,
): { readonly protocol: string; readonly codec: Codec } | undefined {
  for (const protocol of offered) {
    const codec = CODECS.get(protocol);
    if (codec !== undefined) return { protocol, codec };
  }
  return undefined;
}

/** The header's token or, from browsers, which can't set headers, the last subprotocol's: the edge too reads it only there. */
function tokenOf(authorization: string | undefined, offered: readonly string[]): string {
  const last = offered.at(-1) ?? "";
  const token =
    authorization === undefined && last.startsWith(BEARER) ? last.slice(BEARER.length) : bearerOf(authorization);
  if (token === "") throw errors.tokenMissing();
  return token;
}
