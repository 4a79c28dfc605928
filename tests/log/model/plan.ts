import * as fc from "fast-check";

/** What an actor does next. Numbers choose among what there is, modulo its count. */
export type Step =
  | { readonly kind: "send"; readonly conversation: number; readonly instance: number; readonly dropAnswer: boolean }
  | { readonly kind: "burst"; readonly conversation: number; readonly instance: number; readonly count: number }
  | { readonly kind: "repeat"; readonly which: number; readonly instance: number; readonly otherBody: boolean }
  | { readonly kind: "edit"; readonly which: number; readonly instance: number }
  | { readonly kind: "recall"; readonly which: number; readonly instance: number }
  | {
      readonly kind: "react";
      readonly which: number;
      readonly emoji: number;
      readonly removed: boolean;
      readonly instance: number;
    }
  | { readonly kind: "markRead"; readonly conversation: number; readonly back: number; readonly instance: number }
  | {
      readonly kind: "membership";
      readonly conversation: number;
      readonly change: "invite" | "remove" | "leave";
      readonly user: number;
    }
  | {
      readonly kind: "page";
      readonly conversation: number;
      readonly at: number;
      readonly backward: boolean;
      readonly limit: number;
      readonly raw: boolean;
    }
  | { readonly kind: "conversations"; readonly pageSize: number }
  | { readonly kind: "receipts"; readonly conversation: number; readonly at: number }
  | { readonly kind: "sync"; readonly afresh: boolean; readonly pageSize: number }
  | { readonly kind: "search"; readonly which: number };

/** A process that is killed, and when. */
export interface Kill {
  readonly afterMs: number;
  readonly victim: number;
}

export interface Plan {
  /** One list for each actor; all act at the same time. */
  readonly actors: readonly (readonly Step[])[];
  readonly kills: readonly Kill[];
}

const which = fc.nat(1000);
const instance = fc.nat(1);
/** The last value: any conversation, also one of which the actor is no part. */
export const ANY = 15;
const conversation = fc.nat(ANY);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("send"), conversation, instance, dropAnswer: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("burst"),
      conversation,
      instance,
      count: fc.integer({ min: 2, max: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("repeat"), which, instance, otherBody: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("edit"), which, instance }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("recall"), which, instance }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("react"), which, emoji: fc.nat(1), removed: fc.boolean(), instance }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("markRead"), conversation, back: fc.nat(10), instance }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("membership"),
      conversation,
      change: fc.constantFrom("invite", "invite", "invite", "remove", "leave"),
      user: fc.nat(3),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("page"),
      conversation,
      at: which,
      backward: fc.boolean(),
      limit: fc.integer({ min: 1, max: 30 }),
      raw: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("conversations"), pageSize: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("receipts"), conversation, at: which }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("sync"), afresh: fc.boolean(), pageSize: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("search"), which }) },
);

/** Plans for four actors; with kills of processes or without. */
export function plans(steps: number, kills: number): fc.Arbitrary<Plan> {
  const actor = fc.array(step, { minLength: Math.ceil(steps / 2), maxLength: steps, size: "max" });
  const kill = fc.record({ afterMs: fc.integer({ min: 20, max: 500 }), victim: fc.nat(4) });
  return fc.record({
    actors: fc.array(actor, { minLength: 4, maxLength: 4 }),
    kills: fc.array(kill, { maxLength: kills, size: "max" }),
  });
}
