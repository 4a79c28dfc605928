import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Provider, type PushService } from "@oceanchat/gen/oceanchat/push/v1/push_service_pb";
import { callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { PushCore } from "./core.ts";
import { errors } from "./errors.ts";
import type { ProviderName, RegisteredToken } from "./ports.ts";

const PROVIDERS: Readonly<Partial<Record<Provider, ProviderName>>> = {
  [Provider.APNS]: "apns",
  [Provider.FCM]: "fcm",
  [Provider.WEBHOOK]: "webhook",
};
const NUMBERS: Readonly<Record<ProviderName, Provider>> = {
  apns: Provider.APNS,
  fcm: Provider.FCM,
  webhook: Provider.WEBHOOK,
};

/** The public door's methods. */
export const pushHandlers = (core: PushCore): Handlers<typeof PushService> => ({
  async registerToken(request, context) {
    const provider = PROVIDERS[request.provider];
    if (provider === undefined) throw errors.providerNotConfigured(String(request.provider));
    return { token: described(await core.register(callerOf(context), provider, request.token)) };
  },
  async listTokens(_request, context) {
    return { tokens: (await core.list(callerOf(context).userId)).map(described) };
  },
  async deleteToken({ tokenId }, context) {
    await core.remove(callerOf(context).userId, tokenId);
    return {};
  },
  async explainPush({ recordId }, context) {
    const decisions = await core.explain(callerOf(context).userId, recordId);
    return {
      explanations: decisions.map(({ deviceId, decision, detail, decidedAtMs }) => ({
        deviceId,
        decision,
        detail,
        decidedTime: timestampFromMs(decidedAtMs),
      })),
    };
  },
});

/** What a user may see again: everything but the provider's token. */
function described({ tokenId, deviceId, provider, createdAtMs }: RegisteredToken) {
  return { tokenId, deviceId, provider: NUMBERS[provider], createTime: timestampFromMs(createdAtMs) };
}
