// What a placement is decided from: out of the live parent, or out of files.

import { readFile } from "node:fs/promises";
import { parseAllDocuments } from "yaml";
import * as z from "zod";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Kind } from "#api/define-kind.ts";
import { int32 } from "#api/fields.ts";
import type { KubeObject } from "#api/meta.ts";
import { formatProblems, parseObject } from "#api/validation.ts";
import type { Client } from "#kube/client.ts";
import { isForbidden } from "#kube/errors.ts";
import type { Capacities, CapacityAnswer } from "#scheduler/capacity.ts";
import { toError } from "#std/errors.ts";
import { Problem } from "./problem.ts";

export interface PlacementWorld {
  readonly clusters: readonly ManagedCluster[];
  readonly inventory: FeedInventory | undefined;
  /** Of the Subscription. */
  readonly bases: readonly Base[];
  /** All that there are; empty: nobody may know, and how full clusters are of them counts for nothing. */
  readonly subscriptions: readonly Subscription[];
}

/** `labelSelector`: finds the Subscription's Bases, where its status does not know the bindings. */
export async function readWorld(
  client: Client,
  { subscription, labelSelector }: { readonly subscription: Subscription; readonly labelSelector: string | undefined },
  signal: AbortSignal,
): Promise<PlacementWorld> {
  const { namespace = "", name } = subscription.metadata;
  const [clusters, inventory, bases, subscriptions] = await Promise.all([
    client.list(ManagedCluster, {}, signal),
    client.get(FeedInventory, { namespace, name }, signal),
    labelSelector === undefined ? { items: [] } : client.list(Base, { labelSelector }, signal),
    client.list(Subscription, {}, signal).catch((error: unknown) => {
      // Who may see one namespace only is answered too.
      if (isForbidden(error)) return { items: [] };
      throw error;
    }),
  ]);
  return { clusters: clusters.items, inventory, bases: bases.items, subscriptions: subscriptions.items };
}

const readable = [Subscription, FeedInventory, ManagedCluster] as readonly Kind[];

/** The objects of a YAML file, each checked; a List is its items. Other kinds are a Problem. */
export async function readObjects(file: string): Promise<readonly KubeObject[]> {
  return (await valuesOf(file)).map((value) => objectOf(value, file));
}

async function valuesOf(file: string): Promise<readonly unknown[]> {
  return parseAllDocuments(await textOf(file)).flatMap((document): readonly unknown[] => {
    const [syntax] = document.errors;
    if (syntax !== undefined)
      throw new Problem(`${file} is no YAML: ${syntax.message}`, "Write objects as kubectl apply takes them");
    return itemsOf(document.toJS());
  });
}

export interface ClustersFile {
  readonly objects: readonly KubeObject[];
  /** undefined: the file says nothing of them. */
  readonly capacities?: Capacities;
}

/** As readObjects, and besides what the clusters of the file could take. */
export async function readClusters(file: string): Promise<ClustersFile> {
  const values = await valuesOf(file);
  const said = values.filter(isCapacities);
  const objects = values.filter((value) => !isCapacities(value)).map((value) => objectOf(value, file));
  if (said.length === 0) return { objects };
  const parsed = z.array(capacitiesDocument).safeParse(said);
  if (!parsed.success) {
    const fix = "Write clusters: {namespace/name: {feed, or * for every feed: how many more it could take}}";
    throw new Problem(`${file} holds capacities that cannot be used: ${z.prettifyError(parsed.error)}`, fix);
  }
  const byCluster = new Map(parsed.data.flatMap(({ clusters }) => Object.entries(clusters)));
  return { objects, capacities: { of: (cluster, feed) => answerOf(byCluster.get(cluster), feed) } };
}

/** No kind of Kubernetes: only files for dry runs have it. */
const CAPACITIES = "Capacities";
const EVERY_FEED = "*";
const capacitiesDocument = z.object({
  kind: z.literal(CAPACITIES),
  clusters: z.record(z.string(), z.record(z.string(), int32.nonnegative())),
});

function isCapacities(value: unknown): boolean {
  return (value as { readonly kind?: unknown }).kind === CAPACITIES;
}

function answerOf(feeds: Readonly<Record<string, number>> | undefined, feed: string): CapacityAnswer {
  const replicas = feeds?.[feed] ?? feeds?.[EVERY_FEED];
  return replicas === undefined ? { type: "silent", reason: "the file does not say" } : { type: "fits", replicas };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Problem(`${file} cannot be read: ${toError(error).message}`, "Name a YAML file");
  }
}

function itemsOf(value: unknown): readonly unknown[] {
  if (value === null || value === undefined) return [];
  const { kind, items } = value as { readonly kind?: unknown; readonly items?: unknown };
  return kind === "List" && Array.isArray(items) ? items : [value];
}

function objectOf(value: unknown, file: string): KubeObject {
  const { apiVersion, kind } = value as { readonly apiVersion?: unknown; readonly kind?: unknown };
  const type = readable.find((each) => each.kind === kind && each.apiVersion === apiVersion);
  if (type === undefined) {
    const known = readable.map((each) => `${each.apiVersion} ${each.kind}`).join(", ");
    throw new Problem(`${file} holds a ${String(apiVersion)} ${String(kind)}`, `It may hold ${known}`);
  }
  const parsed = parseObject(type, value);
  if (!parsed.valid) throw new Problem(`${file} holds a ${String(kind)} that cannot be used`, formatProblems(parsed.problems));
  return parsed.value;
}

export function ofKind<T extends KubeObject>(objects: readonly KubeObject[], type: Kind<T>): readonly T[] {
  return objects.filter((object): object is T => object.kind === type.kind);
}
