// Rendered objects -> the parts of a Base's Description, in the order in which they have to be written. Pure.

import type { Description } from "#api/apps/v1alpha1/description.ts";
import { feedKey } from "#api/apps/v1alpha1/feed.ts";
import { identityOf } from "#delivery/feeds.ts";
import { partName, partNumberOf } from "#delivery/names.ts";
import { decodeRaw, type RenderedObject } from "#delivery/render.ts";
import { fitsInOne, gainsMoved, splitObjects, type Part } from "#delivery/split.ts";

export interface DescribedPart {
  readonly name: string;
  readonly number: number;
  readonly spec: Description["spec"];
}

export interface Described {
  /** Name of the first one. */
  readonly first: string;
  /** The Descriptions that are there. */
  readonly current: readonly Description[];
  /** Numbers of parts that are going away. */
  readonly taken: ReadonlySet<number>;
}

/** Those that gain objects of others come before those that lose them. */
export function splitDescribed(
  objects: readonly RenderedObject[],
  { first, current, taken }: Described,
): readonly DescribedPart[] {
  // What nobody has to look at is not decoded.
  const previous = current.length <= 1 && fitsInOne(objects) ? [] : current.map(partOf);
  const parts = splitObjects({ objects, previous, taken });
  const [gaining, others] = [true, false].map((wanted) => parts.filter((part) => gainsMoved(part, previous) === wanted));
  return [...(gaining ?? []), ...(others ?? [])].map(({ number, objects: held }) => ({
    name: partName(first, number),
    number,
    spec: { deployer: "Generic", raw: held.map(({ text }) => text) },
  }));
}

function partOf(description: Description): Part {
  const objects = (description.spec.raw ?? []).flatMap((text) => {
    const object = decodeRaw(text);
    const identity = object === undefined ? undefined : identityOf(object);
    return identity === undefined ? [] : [{ key: feedKey(identity), kind: identity.kind, text }];
  });
  return { number: partNumberOf(description), objects };
}
