/** What the registry needs to know of a connection. */
export interface Registered {
  readonly id: string;
  readonly userId: string;
  readonly sessionId: string;
}

/** All connections of this gateway, by id, session and user. */
export class Registry<C extends Registered> {
  readonly #byId = new Map<string, C>();
  readonly #bySession = new Map<string, readonly C[]>();
  readonly #byUser = new Map<string, readonly C[]>();

  get size(): number {
    return this.#byId.size;
  }

  add(connection: C): void {
    this.#byId.set(connection.id, connection);
    put(this.#bySession, connection.sessionId, connection);
    put(this.#byUser, connection.userId, connection);
  }

  /** False when it wasn't there. */
  remove(connection: C): boolean {
    if (!this.#byId.delete(connection.id)) return false;
    take(this.#bySession, connection.sessionId, connection);
    take(this.#byUser, connection.userId, connection);
    return true;
  }

  get(id: string): C | undefined {
    return this.#byId.get(id);
  }

  ofSession(sessionId: string): readonly C[] {
    return this.#bySession.get(sessionId) ?? [];
  }

  countOfUser(userId: string): number {
    return this.#byUser.get(userId)?.length ?? 0;
  }

  /** Live: connections may come and go while it is walked through. */
  all(): IterableIterator<C> {
    return this.#byId.values();
  }

  sessionIds(): string[] {
    return [...this.#bySession.keys()];
  }
}

// Lists are replaced, never changed: most have one entry, and whoever walks through one may close its connections.
function put<C>(map: Map<string, readonly C[]>, key: string, value: C): void {
  const list = map.get(key);
  map.set(key, list === undefined ? [value] : [...list, value]);
}

function take<C>(map: Map<string, readonly C[]>, key: string, value: C): void {
  const rest = map.get(key)?.filter((each) => each !== value) ?? [];
  if (rest.length === 0) map.delete(key);
  else map.set(key, rest);
}
