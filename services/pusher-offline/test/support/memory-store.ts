import type { Decision, PushStore, RegisteredToken } from "../../src/ports.ts";

/** A store that a unit test can look into. */
export class MemoryStore implements PushStore {
  readonly tokens = new Map<string, RegisteredToken>();
  readonly decided: Decision[] = [];
  /** About how many users each question for tokens was. */
  readonly asked: number[] = [];

  async register(token: RegisteredToken): Promise<void> {
    for (const [id, each] of this.tokens) {
      if (each.userId === token.userId && each.deviceId === token.deviceId && each.provider === token.provider) {
        this.tokens.delete(id);
      }
    }
    this.tokens.set(token.tokenId, token);
  }

  async tokensOf(userIds: readonly string[]): Promise<RegisteredToken[]> {
    this.asked.push(userIds.length);
    return [...this.tokens.values()].filter((each) => userIds.includes(each.userId));
  }

  async token(tokenId: string): Promise<RegisteredToken | undefined> {
    return this.tokens.get(tokenId);
  }

  async remove(userId: string, tokenId: string): Promise<void> {
    if (this.tokens.get(tokenId)?.userId === userId) this.tokens.delete(tokenId);
  }

  async removeInvalid(tokenId: string, registeredBeforeMs: number): Promise<void> {
    const token = this.tokens.get(tokenId);
    if (token !== undefined && token.createdAtMs <= registeredBeforeMs) this.tokens.delete(tokenId);
  }

  async claim(decision: Decision): Promise<Decision | undefined> {
    const earlier = this.decided.find(
      (each) => each.recordId === decision.recordId && each.tokenId === decision.tokenId,
    );
    if (earlier === undefined) this.decided.push(decision);
    return earlier;
  }

  async decide(decision: Decision): Promise<void> {
    const at = this.decided.findIndex(
      (each) => each.recordId === decision.recordId && each.tokenId === decision.tokenId,
    );
    if (at < 0) this.decided.push(decision);
    else this.decided[at] = decision;
  }

  async decisions(userId: string, recordId: string): Promise<Decision[]> {
    return this.decided.filter((each) => each.userId === userId && each.recordId === recordId);
  }
}
