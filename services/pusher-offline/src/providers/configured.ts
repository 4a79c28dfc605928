import { type Key, secretFile, text, url, type Values } from "@oceanchat/runtime/config";
import type { ProviderName, PushProvider } from "../ports.ts";
import type { AdapterLimits } from "./adapter.ts";
import { connectApns } from "./apns.ts";
import { connectFcm } from "./fcm.ts";
import { connectWebhook } from "./webhook.ts";

/** Where a server is. */
interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** The same key, but empty is allowed and means undefined. */
const optional = <T>(key: Key<T>): Key<T | undefined> => ({
  ...key,
  parse: (value) => (value === "" ? undefined : key.parse(value)),
});

const hostAndPort = (name: string, meaning: string, fallback: string): Key<HostAndPort> => ({
  name,
  type: "host:port",
  meaning,
  fallback,
  parse(value) {
    const [, host, port] = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(value) ?? [];
    if (host === undefined || Number(port) < 1 || Number(port) > 65535) throw new Error("must be host:port");
    return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
  },
});

/** The configuration keys of the providers. One whose first key is empty is absent. */
export const providerKeys = {
  apnsKey: secretFile("OCEANCHAT_APNS_KEY_FILE", "File with Apple's signing key (.p8). Empty: no APNs."),
  apnsKeyId: text("OCEANCHAT_APNS_KEY_ID", "Id of that key, ten characters.", ""),
  apnsTeamId: text("OCEANCHAT_APNS_TEAM_ID", "Id of the Apple developer team, ten characters.", ""),
  apnsTopic: text("OCEANCHAT_APNS_TOPIC", "Bundle id of the app.", ""),
  apnsAddress: hostAndPort(
    "OCEANCHAT_APNS_HOST",
    "Apple's push service; api.sandbox.push.apple.com:443 for development builds.",
    "api.push.apple.com:443",
  ),
  apnsCa: secretFile(
    "OCEANCHAT_APNS_CA_FILE",
    "File with the certificate authority to trust for it. Empty: the usual ones.",
  ),
  fcmServiceAccount: secretFile(
    "OCEANCHAT_FCM_SERVICE_ACCOUNT_FILE",
    "JSON file of the Google service account that may send. Empty: no FCM.",
  ),
  fcmAddress: optional(
    hostAndPort(
      "OCEANCHAT_FCM_HOST",
      "Where fcm.googleapis.com and oauth2.googleapis.com are looked for. Empty: under their own names.",
      "",
    ),
  ),
  fcmCa: secretFile(
    "OCEANCHAT_FCM_CA_FILE",
    "File with the certificate authority to trust for them. Empty: the usual ones.",
  ),
  webhookUrl: optional(
    url(
      "OCEANCHAT_WEBHOOK_URL",
      "Where notifications for tokens of the provider `webhook` are posted; http only on loopback. Empty: no webhook.",
      "",
      ["https", "http"],
    ),
  ),
  webhookSecret: secretFile("OCEANCHAT_WEBHOOK_SECRET_FILE", "File with the key of its signature, at least 16 bytes."),
};

/** The values of `providerKeys`. */
export type ProviderConfig = Values<typeof providerKeys>;

/** Opens every provider that is configured. Throws an Error that names the keys of one that is configured by half. */
export async function connectProviders(
  config: ProviderConfig,
  limits: AdapterLimits = {},
): Promise<ReadonlyMap<ProviderName, PushProvider>> {
  const providers: PushProvider[] = [];
  const { apnsKey: key, apnsAddress, fcmServiceAccount: serviceAccount, webhookUrl, webhookSecret: secret } = config;
  if (key !== undefined) {
    const { apnsKeyId: keyId, apnsTeamId: teamId, apnsTopic: topic, apnsCa: ca } = config;
    if (keyId === "" || teamId === "" || topic === "") {
      throw new Error("APNs needs OCEANCHAT_APNS_KEY_ID, OCEANCHAT_APNS_TEAM_ID and OCEANCHAT_APNS_TOPIC too");
    }
    providers.push(await connectApns({ ...limits, key, keyId, teamId, topic, ca, ...apnsAddress }));
  }
  if (serviceAccount !== undefined) {
    providers.push(await connectFcm({ ...limits, serviceAccount, address: config.fcmAddress, ca: config.fcmCa }));
  }
  if (webhookUrl !== undefined) {
    if (secret === undefined) throw new Error("the webhook needs OCEANCHAT_WEBHOOK_SECRET_FILE too");
    providers.push(await connectWebhook({ ...limits, url: webhookUrl, secret: secret.trim() }));
  }
  return new Map(providers.map((provider) => [provider.name, provider]));
}
