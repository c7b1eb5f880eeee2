// Amounts of resources as kube-scheduler compares them: thousandths of cpu, whole units of everything else, rounded up. Pure.

import { nanoUnits } from "#std/quantity.ts";

/** Resource -> amount, in kube-scheduler's units. */
export type Amounts = ReadonlyMap<string, bigint>;

/** How many replicas something is enough for, and what of it ends first. */
export interface Room {
  readonly replicas: bigint;
  readonly scarce: string;
}

export const INT32_MAX = 2_147_483_647n;
const NANO = 1_000_000_000n;
const NANO_OF_MILLI = 1_000_000n;
/** Nothing that is limited: an answer has to fit into an int32. */
const UNBOUNDED: Room = { replicas: INT32_MAX, scarce: "" };

/** Throws RangeError for what is no quantity. */
export function amountsOf(quantities: Readonly<Record<string, string | number>>): Amounts {
  return new Map(
    Object.entries(quantities).map(([name, quantity]) => {
      const nano = nanoUnits(String(quantity));
      if (nano === undefined) throw new RangeError(`${JSON.stringify(quantity)} of ${name} is not a quantity`);
      return [name, schedulerUnits(name, nano)] as const;
    }),
  );
}

/** What is no quantity is left out: one odd object must not hide all others. */
export function knownAmountsOf(quantities: Readonly<Record<string, string>>): Amounts {
  return amountsOf(Object.fromEntries(Object.entries(quantities).filter(([, quantity]) => nanoUnits(quantity) !== undefined)));
}

export function schedulerUnits(name: string, nano: bigint): bigint {
  const unit = name === "cpu" || name.endsWith(".cpu") ? NANO_OF_MILLI : NANO;
  return nano <= 0n ? nano / unit : (nano + unit - 1n) / unit;
}

/** How often `amount` goes into `free`. */
export function wholes(free: bigint, amount: bigint): bigint {
  return free <= 0n ? 0n : free / amount;
}

export function leastOf(rooms: readonly Room[]): Room {
  return rooms.reduce((least, room) => (room.replicas < least.replicas ? room : least), UNBOUNDED);
}
