import { randomUUID } from "node:crypto";
import { Agent, type AgentOptions } from "node:https";
import type { PushNotification, PushProvider, SendOutcome } from "../ports.ts";
import { type AdapterLimits, createProvider, TIMEOUT_MS } from "./adapter.ts";
import { type FcmFailure, fcmMessage, fcmOutcome, isUnauthenticated } from "./fcm-message.ts";
import { GoogleCredential } from "./google-credential.ts";
import { OneAttemptAgent } from "./one-attempt-agent.ts";
import { parseServiceAccount } from "./service-account.ts";

/** How Firebase Cloud Messaging is reached. */
export interface FcmOptions extends AdapterLimits {
  /** The content of the service account's JSON file. */
  readonly serviceAccount: string;
  /** Where fcm.googleapis.com and oauth2.googleapis.com are looked for; undefined: under their own names. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** The certificate authority to trust instead of the well-known ones (PEM). It still has to vouch for Google's names. */
  readonly ca: string | undefined;
}

/** Idle connections are closed before Google does it in the middle of a request. */
const IDLE_MS = 60_000;
/** A request for an access token is given up before the first send that waits for it, so that the next one asks anew. */
const TOKEN_SHARE = 0.9;
const IDLE_SOCKETS = 16;

/** Opens the way to FCM; nothing is sent before the first notification. Throws if the service account is none. */
export async function connectFcm(options: FcmOptions): Promise<PushProvider> {
  const { timeoutMs = TIMEOUT_MS, now = Date.now } = options;
  const account = parseServiceAccount(options.serviceAccount);
  const [{ deleteApp, initializeApp }, { getMessaging }] = await Promise.all([
    import("firebase-admin/app"), // only who needs the library pays for it (25 MB)
    import("firebase-admin/messaging"),
  ]);
  const tokenAgent = new Agent(agentOptions(options));
  const agent = new OneAttemptAgent({
    ...agentOptions(options),
    keepAlive: true,
    maxFreeSockets: IDLE_SOCKETS,
    timeout: IDLE_MS,
  });
  const credential = new GoogleCredential(account, tokenAgent, Math.floor(timeoutMs * TOKEN_SHARE), now);
  const app = initializeApp({ credential, projectId: account.projectId, httpAgent: agent }, randomUUID());
  const messaging = getMessaging(app);

  async function attempt(token: string, notification: PushNotification, signal: AbortSignal): Promise<SendOutcome> {
    const message = fcmMessage(token, notification, now());
    if (message === undefined) return { kind: "rejected", reason: "the data is too large" };
    const { epoch } = credential;
    try {
      return { kind: "sent", providerMessageId: await agent.run(signal, () => messaging.send(message)) };
    } catch (error) {
      const failure: FcmFailure = Object(error);
      if (isUnauthenticated(failure)) credential.forget(epoch);
      return fcmOutcome(failure, now());
    }
  }

  async function close(): Promise<void> {
    await deleteApp(app);
    agent.destroy();
    tokenAgent.destroy();
  }

  return createProvider("fcm", { attempt, close }, options);
}

/** An agent's own host and port win over the request's, while the certificate is checked for the request's name. */
function agentOptions({ address, ca }: FcmOptions): AgentOptions {
  return { ...(address ?? {}), ...(ca === undefined ? {} : { ca }) };
}
