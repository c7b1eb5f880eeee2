// `kubectl clusternet explain placement` and `kubectl clusternet schedule --dry-run`: decide as the scheduler would, and tell the decision.

import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Client } from "#kube/client.ts";
import { BindingCounts } from "#scheduler/binding-counts.ts";
import { clustersOf, selectorOf } from "#scheduler/existing-bases.ts";
import { explainPlacement, type Placement } from "#scheduler/explain-placement.ts";
import { needsOf } from "#scheduler/feed-needs.ts";
import { scheduleWithFailover } from "#scheduler/failover/plan.ts";
import { loadProfiles } from "#scheduler/load-profiles.ts";
import { placementText } from "#scheduler/placement-text.ts";
import type { Profile } from "#scheduler/profile.ts";
import { takeSnapshot, type Snapshot } from "#scheduler/snapshot.ts";
import { fleetNow } from "./fleet-now.ts";
import { ofKind, readObjects, readWorld, type PlacementWorld } from "./placement-world.ts";
import { Problem } from "./problem.ts";

interface PlacementFlags {
  /** The scheduler's configuration file. */
  readonly config?: string;
  readonly output: "text" | "json";
}

export interface ExplainPlacementFlags extends PlacementFlags {
  readonly subscription: string;
  readonly namespace: string;
  /** Name of a ManagedCluster, or `namespace/name`. */
  readonly cluster?: string;
}

export interface DryRunFlags extends PlacementFlags {
  readonly filename: string;
  /** A file of ManagedClusters, instead of the parent's. */
  readonly clusters?: string;
}

/** What to print. */
export async function explainLivePlacement(client: Client, flags: ExplainPlacementFlags, signal: AbortSignal): Promise<string> {
  const { namespace, subscription: name } = flags;
  const subscription = await client.get(Subscription, { namespace, name }, signal);
  if (subscription === undefined) {
    throw new Problem(
      `There is no Subscription ${namespace}/${name}`,
      "Name its namespace with -n; kubectl get subscriptions -A lists them",
    );
  }
  const world = await liveWorld(client, subscription, signal);
  return printed(await placementIn(world, { subscription, flags, cluster: flags.cluster }), flags);
}

/** Without `clusters` the parent is asked for its clusters, and for what is known of a Subscription of this name. */
export async function dryRun(
  flags: DryRunFlags,
  ask: <T>(question: (client: Client, signal: AbortSignal) => Promise<T>) => Promise<T>,
): Promise<string> {
  const objects = await readObjects(flags.filename);
  const [given, second] = ofKind(objects, Subscription);
  if (given === undefined) throw new Problem(`${flags.filename} holds no Subscription`, "Name the file of one with -f");
  if (second !== undefined) throw new Problem(`${flags.filename} holds several Subscriptions`, "One is decided at a time");
  const wanted = { ...given, metadata: { ...given.metadata, namespace: given.metadata.namespace ?? "default" } };
  const { subscription, world } = await (flags.clusters === undefined
    ? ask((client, signal) => onLiveFleet(client, wanted, signal))
    : fromFiles(wanted, [...objects, ...(await readObjects(flags.clusters))]));
  const [inventory = world.inventory] = ofKind(objects, FeedInventory);
  return printed(await placementIn({ ...world, inventory }, { subscription, flags, cluster: undefined }), flags);
}

interface Question {
  readonly subscription: Subscription;
  readonly world: PlacementWorld;
}

/** What is bound already counts: the Subscription of the file replaces the one that is there. */
async function onLiveFleet(client: Client, wanted: Subscription, signal: AbortSignal): Promise<Question> {
  const { namespace = "", name } = wanted.metadata;
  const live = await client.get(Subscription, { namespace, name }, signal);
  const { status: _status, ...rest } = wanted;
  const status = live?.status ?? wanted.status;
  const subscription = { ...rest, ...(status === undefined ? {} : { status }) };
  return { subscription, world: await liveWorld(client, subscription, signal) };
}

async function fromFiles(subscription: Subscription, objects: Awaited<ReturnType<typeof readObjects>>): Promise<Question> {
  const [inventory] = ofKind(objects, FeedInventory);
  const clusters = ofKind(objects, ManagedCluster);
  return Promise.resolve({ subscription, world: { clusters, inventory, bases: [], subscriptions: [] } });
}

async function liveWorld(client: Client, subscription: Subscription, signal: AbortSignal): Promise<PlacementWorld> {
  const labelSelector = subscription.status?.bindingClusters === undefined ? selectorOf(subscription) : undefined;
  return readWorld(client, { subscription, labelSelector }, signal);
}

interface PlacementQuestion {
  readonly subscription: Subscription;
  readonly flags: PlacementFlags;
  readonly cluster: string | undefined;
}

async function placementIn(world: PlacementWorld, { subscription, flags, cluster }: PlacementQuestion): Promise<Placement> {
  const snapshot = takeSnapshot(world.clusters);
  const bindings = new BindingCounts();
  for (const object of world.subscriptions) bindings.onChange({ type: "added", object });
  const input = {
    snapshot,
    profile: await profileFor(subscription, flags),
    existing: clustersOf(world.bases, snapshot),
    needs: needsOf(world.inventory),
    bindings,
  };
  const decision = scheduleWithFailover(subscription, { ...input, ...fleetNow(world.clusters) });
  const about = cluster === undefined ? {} : { cluster: keyOfCluster(cluster, snapshot) };
  return explainPlacement(subscription, { ...input, decision, ...about });
}

async function profileFor({ spec: { schedulerName } }: Subscription, { config = "" }: PlacementFlags): Promise<Profile> {
  // Without a configuration its scheduler is taken to run the default plugins.
  const profiles = await loadProfiles({ config, schedulerName: config === "" ? schedulerName : "default" });
  const profile = profiles.find((each) => each.schedulerName === schedulerName);
  if (profile !== undefined) return profile;
  const names = profiles.map((each) => each.schedulerName).join(", ");
  throw new Problem(
    `${config} has no profile for scheduler ${schedulerName}`,
    `It has ${names}; the Subscription says spec.schedulerName`,
  );
}

function keyOfCluster(wanted: string, { clusters }: Snapshot): string {
  const [first, second] = clusters.filter(({ key }) => key === wanted || key.split("/", 2)[1] === wanted);
  if (first === undefined) throw new Problem(`There is no ManagedCluster ${wanted}`, "kubectl get managedclusters -A lists them");
  if (second !== undefined)
    throw new Problem(`Several clusters are called ${wanted}`, `Write one as ${first.key} or ${second.key}`);
  return first.key;
}

function printed(placement: Placement, { output }: PlacementFlags): string {
  return output === "json" ? `${JSON.stringify(placement, null, 2)}\n` : `${placementText(placement).join("\n")}\n`;
}
