import { sign } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type Agent, request } from "node:https";
import type { Credential, GoogleOAuthAccessToken } from "firebase-admin/app";
import type { ServiceAccount } from "./service-account.ts";

const TOKEN_URL = "https://oauth2.googleapis.com/token";
const SCOPE = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ASSERTION_LIFETIME_S = 3600;
/** A token is renewed this long before it expires. */
const RENEW_EARLY_MS = 5 * 60_000;
const ANSWER_MAX_BYTES = 64 * 1024;

/**
 * Access tokens for a service account. firebase-admin's own `cert()` is not used, because it keeps one credential per
 * process and account for ever: a token that Google no longer takes could not be replaced, a request without an
 * answer would block every later one, and a second pusher in the process would get the first one's connections.
 */
export class GoogleCredential implements Credential {
  readonly #account: ServiceAccount;
  readonly #agent: Agent;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  #token: { readonly text: string; readonly renewMs: number } | undefined;
  #epoch = 0;

  constructor(account: ServiceAccount, agent: Agent, timeoutMs: number, now: () => number) {
    this.#account = account;
    this.#agent = agent;
    this.#timeoutMs = timeoutMs;
    this.#now = now;
  }

  /** Says "expired" to the library, which then asks before every message (once for all that wait): the token is kept here. */
  async getAccessToken(): Promise<GoogleOAuthAccessToken> {
    const kept = this.#token;
    const text = kept !== undefined && this.#now() < kept.renewMs ? kept.text : await this.#ask();
    return { access_token: text, expires_in: 0 };
  }

  /** Changes when a token is forgotten. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Drops the token that was in use in this epoch; of many who were refused with it, only the first does. */
  forget(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#epoch += 1;
    this.#token = undefined;
  }

  async #ask(): Promise<string> {
    const form = new URLSearchParams({ grant_type: GRANT_TYPE, assertion: assertionOf(this.#account, this.#now()) });
    const { status, text } = await postForm(form, this.#agent, this.#timeoutMs);
    const answer: Readonly<Record<string, unknown>> = status === 200 ? Object(JSON.parse(text)) : {};
    const { access_token: token, expires_in: lifetimeS } = answer;
    if (typeof token !== "string" || typeof lifetimeS !== "number") {
      throw new Error(`no access token: ${status} ${text.slice(0, 200)}`);
    }
    this.#token = { text: token, renewMs: this.#now() + lifetimeS * 1000 - RENEW_EARLY_MS };
    return token;
  }
}

function assertionOf({ clientEmail, privateKey }: ServiceAccount, nowMs: number): string {
  const iat = Math.floor(nowMs / 1000);
  const claims = { iss: clientEmail, scope: SCOPE, aud: TOKEN_URL, iat, exp: iat + ASSERTION_LIFETIME_S };
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const content = `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}`;
  return `${content}.${sign("sha256", Buffer.from(content), privateKey).toString("base64url")}`;
}

async function postForm(
  form: URLSearchParams,
  agent: Agent,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const call = request(TOKEN_URL, { method: "POST", agent, headers, signal: AbortSignal.timeout(timeoutMs) });
  call.end(form.toString());
  const [response]: IncomingMessage[] = await once(call, "response");
  if (response === undefined) throw new Error("no response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    text += chunk;
    if (text.length > ANSWER_MAX_BYTES) throw new Error("the token endpoint's answer is too long");
  }
  return { status: response.statusCode ?? 0, text };
}
