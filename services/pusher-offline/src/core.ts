import { createHash } from "node:crypto";
import { errors } from "./errors.ts";
import type { Decision, ProviderName, PushStore, RegisteredToken } from "./ports.ts";

/** What a user can say about his devices, and ask about his notifications. */
export interface PushCore {
  register(
    caller: { readonly userId: string; readonly deviceId: string },
    provider: ProviderName,
    token: string,
  ): Promise<RegisteredToken>;
  list(userId: string): Promise<readonly RegisteredToken[]>;
  remove(userId: string, tokenId: string): Promise<void>;
  explain(userId: string, recordId: string): Promise<readonly Decision[]>;
}

/** Registered devices of a user at most. */
const TOKENS_PER_USER = 20;

/** Makes the rules of registration. */
export function createPushCore(options: {
  readonly store: PushStore;
  readonly configured: ReadonlySet<ProviderName>;
  readonly now: () => number;
}): PushCore {
  const { store, configured, now } = options;
  return {
    async register({ userId, deviceId }, provider, token) {
      if (!configured.has(provider)) throw errors.providerNotConfigured(provider);
      const registered = { tokenId: tokenIdOf(provider, token), userId, deviceId, provider, token, createdAtMs: now() };
      const others = (await store.tokensOf([userId])).filter(
        (each) => each.tokenId !== registered.tokenId && !(each.deviceId === deviceId && each.provider === provider),
      );
      if (others.length >= TOKENS_PER_USER) throw errors.tooManyTokens(TOKENS_PER_USER);
      await store.register(registered);
      return registered;
    },
    list: (userId) => store.tokensOf([userId]),
    remove: (userId, tokenId) => store.remove(userId, tokenId),
    async explain(userId, recordId) {
      const decisions = await store.decisions(userId, recordId);
      if (decisions.length > 0 || (await store.tokensOf([userId])).length > 0) return decisions;
      const detail = "no device is registered";
      return [{ recordId, userId, tokenId: "", deviceId: "", decision: "no_token", detail, decidedAtMs: now() }];
    },
  };
}

/** The same provider's token has the same id, whoever registers it: so it can be registered only once. */
export function tokenIdOf(provider: ProviderName, token: string): string {
  return createHash("sha256").update(`${provider}:${token}`).digest("hex").slice(0, 40);
}
