import {
  type Entry,
  type FinalState,
  groupBy,
  type History,
  type Operation,
  textOf,
  type Violation,
} from "../history.ts";

/** C1: what was answered with "accepted" is in the log and in the store, exactly once, in the place that was answered. */
export function checkAccepted({ operations }: History, { stream, store }: FinalState): Violation[] {
  return [
    ...missing("the log", operations, stream),
    ...missing("the store", operations, store),
    ...twice("the log", stream),
    ...twice("the store", store),
  ];
}

function missing(where: string, operations: readonly Operation[], entries: readonly Entry[]): Violation[] {
  const found = groupBy(entries, ({ recordId }) => recordId);
  const violations: Violation[] = [];
  for (const operation of operations) {
    for (const { outcome } of operation.tries) {
      if (outcome.kind !== "ok") continue;
      const [entry, ...others] = found.get(outcome.recordId) ?? [];
      const claim = `${nameOf(operation)} was accepted as ${outcome.recordId} at ${outcome.seq}`;
      const is = entry === undefined ? "is not there" : problemOf(operation, outcome.seq, entry);
      if (is !== undefined) violations.push({ check: "C1", what: `${claim}; in ${where} it ${is}` });
      if (others.length > 0)
        violations.push({ check: "C1", what: `${claim}; ${where} has it ${others.length + 1} times` });
    }
  }
  return violations;
}

function problemOf(operation: Operation, seq: number, entry: Entry): string | undefined {
  const { conversationId, userId, fact } = operation;
  if (entry.seq !== seq) return `lies at ${entry.seq}`;
  if (entry.conversationId !== conversationId) return `lies in ${entry.conversationId}`;
  if (entry.senderUserId !== userId) return `is from ${entry.senderUserId}`;
  return textOf(entry.fact) === textOf(fact) ? undefined : `says ${textOf(entry.fact)}`;
}

function twice(where: string, entries: readonly Entry[]): Violation[] {
  const keyed = entries.filter(({ key }) => key !== undefined);
  return [...groupBy(keyed, ({ senderUserId, key }) => `${senderUserId}:${key}`)].flatMap(([key, group]) =>
    group.length === 1
      ? []
      : [{ check: "C1" as const, what: `${where} holds ${key} ${group.length} times: at ${placesOf(group)}` }],
  );
}

/** C2: nothing is stored that nobody sent, and nothing of which its sender was told that it isn't. */
export function checkNothingElse({ operations, cursorMoves }: History, { stream, store }: FinalState): Violation[] {
  const written = [...stream, ...store].filter(({ fact }) => fact.kind !== "membership" && fact.kind !== "other");
  const cursors = written.filter(({ fact }) => fact.kind === "read");
  return [
    ...unwantedKeyed(operations, written),
    ...unwantedUnkeyed(operations, stream),
    ...unwantedUnkeyed(operations, store),
    ...cursors.flatMap((entry) => {
      const { fact, senderUserId } = entry;
      const wanted = cursorMoves.some(
        (move) =>
          fact.kind === "read" &&
          move.userId === senderUserId &&
          move.conversationId === fact.conversationId &&
          move.seq >= fact.seq &&
          move.tries.some(({ outcome }) => outcome.kind !== "failed"),
      );
      return wanted ? [] : [{ check: "C2" as const, what: `nobody moved a cursor as ${nameOfEntry(entry)} says` }];
    }),
  ];
}

function unwantedKeyed(operations: readonly Operation[], entries: readonly Entry[]): Violation[] {
  const byKey = new Map(operations.map((operation) => [`${operation.userId}:${operation.key}`, operation]));
  return entries.flatMap((entry) => {
    if (entry.key === undefined) return [];
    const operation = byKey.get(`${entry.senderUserId}:${entry.key}`);
    if (operation === undefined) return [{ check: "C2" as const, what: `nobody sent ${nameOfEntry(entry)}` }];
    if (operation.conversationId !== entry.conversationId || textOf(operation.fact) !== textOf(entry.fact)) {
      return [{ check: "C2" as const, what: `${nameOf(operation)} is stored as ${nameOfEntry(entry)}` }];
    }
    return operation.tries.every(({ outcome }) => outcome.kind === "failed")
      ? [{ check: "C2" as const, what: `${nameOf(operation)} was refused and is stored as ${nameOfEntry(entry)}` }]
      : [];
  });
}

/** What has no key may be stored once for each try that was not refused. */
function unwantedUnkeyed(operations: readonly Operation[], entries: readonly Entry[]): Violation[] {
  const nameOfFact = ({ conversationId, fact }: Operation | Entry, userId: string) =>
    `${userId} ${conversationId} ${textOf(fact)}`;
  const allowed = new Map<string, number>();
  for (const operation of operations) {
    if (operation.key !== undefined) continue;
    const name = nameOfFact(operation, operation.userId);
    const tries = operation.tries.filter(({ outcome }) => outcome.kind !== "failed").length;
    allowed.set(name, (allowed.get(name) ?? 0) + tries);
  }
  const unkeyed = entries.filter(({ fact }) => fact.kind === "recall" || fact.kind === "reaction");
  return [...groupBy(unkeyed, (entry) => nameOfFact(entry, entry.senderUserId))].flatMap(([name, group]) => {
    const most = allowed.get(name) ?? 0;
    if (group.length <= most) return [];
    return [{ check: "C2" as const, what: `${name}: asked for ${most} times, stored at ${placesOf(group)}` }];
  });
}

/** C10: all tries of one operation resolve to one record. */
export function checkRepeats({ operations }: History, { stream }: FinalState): Violation[] {
  const byKey = groupBy(
    stream.filter(({ key }) => key !== undefined),
    ({ senderUserId, key }) => `${senderUserId}:${key}`,
  );
  return operations.flatMap((operation) => {
    if (operation.key === undefined) return [];
    const answers = operation.tries.flatMap(({ outcome }) => (outcome.kind === "ok" ? [outcome] : []));
    const records = new Set(answers.map(({ recordId, seq }) => `${recordId} at ${seq}`));
    const stored = byKey.get(`${operation.userId}:${operation.key}`) ?? [];
    const found: Violation[] = [];
    if (records.size > 1) {
      found.push({ check: "C10", what: `${nameOf(operation)} was answered with ${[...records].join(", ")}` });
    }
    if (stored.length > 1) {
      found.push({ check: "C10", what: `${nameOf(operation)} became ${stored.length} records: ${placesOf(stored)}` });
    }
    return found;
  });
}

function nameOf({ userId, conversationId, fact, key }: Operation): string {
  return `${textOf(fact)} of ${userId} in ${conversationId}${key === undefined ? "" : ` (${key})`}`;
}

function nameOfEntry({ conversationId, seq, senderUserId, fact }: Entry): string {
  return `${conversationId}:${seq} ${textOf(fact)} of ${senderUserId}`;
}

function placesOf(entries: readonly Entry[]): string {
  return entries.map(({ conversationId, seq }) => `${conversationId}:${seq}`).join(", ");
}
