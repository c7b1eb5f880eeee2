// `kubectl clusternet explain placement` and `kubectl clusternet schedule --dry-run`: decide as the scheduler would, and tell the decision.

import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import type { Client } from "#kube/client.ts";
import { askOnce } from "#scheduler/ask-once.ts";
import { BindingCounts } from "#scheduler/binding-counts.ts";
import { noCapacities, type Capacities } from "#scheduler/capacity.ts";
import { clustersOf, selectorOf } from "#scheduler/existing-bases.ts";
import type { Decision } from "#scheduler/decision.ts";
import { explainPlacement, type Placement } from "#scheduler/explain-placement.ts";
import { needsOf } from "#scheduler/feed-needs.ts";
import type { FailoverInput } from "#scheduler/failover/plan.ts";
import { loadProfiles } from "#scheduler/load-profiles.ts";
import { placementHints } from "#scheduler/placement-hints.ts";
import { placementText } from "#scheduler/placement-text.ts";
import { scheduleWithRebalance } from "#scheduler/rebalance/rebalance.ts";
import { noTurn } from "#scheduler/rebalance/turns.ts";
import type { Profile } from "#scheduler/profile.ts";
import { takeSnapshot, type Snapshot } from "#scheduler/snapshot.ts";
import { fleetNow } from "./fleet-now.ts";
import { ofKind, readClusters, readObjects, readWorld, type PlacementWorld } from "./placement-world.ts";
import { Problem } from "./problem.ts";

export interface PlacementFlags {
  /** The scheduler's configuration file. */
  readonly config?: string;
  /** Whether children are asked what they could take. */
  readonly capacity: boolean;
  /** For all of them together. */
  readonly capacityTimeoutMs: number;
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
  const capacities = await capacitiesOf(client, { subscription, world, flags }, signal);
  return printed(await placementIn(world, { subscription, capacities, flags, cluster: flags.cluster }), flags);
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
  const [inventory] = ofKind(objects, FeedInventory);
  const { world, ...question } = await (flags.clusters === undefined
    ? ask((client, signal) => onLiveFleet(client, { wanted, inventory, flags }, signal))
    : fromFiles(wanted, { objects, clusters: flags.clusters }));
  return printed(await placementIn(world, { ...question, flags, cluster: undefined }), flags);
}

interface Question {
  readonly subscription: Subscription;
  readonly world: PlacementWorld;
  readonly capacities: Capacities;
}

interface Wanted {
  readonly wanted: Subscription;
  /** Instead of the parent's. */
  readonly inventory: FeedInventory | undefined;
  readonly flags: PlacementFlags;
}

/** What is bound already counts: the Subscription of the file replaces the one that is there. */
async function onLiveFleet(client: Client, { wanted, inventory, flags }: Wanted, signal: AbortSignal): Promise<Question> {
  const { namespace = "", name } = wanted.metadata;
  const live = await client.get(Subscription, { namespace, name }, signal);
  const { status: _status, ...rest } = wanted;
  const status = live?.status ?? wanted.status;
  const subscription = { ...rest, ...(status === undefined ? {} : { status }) };
  const there = await liveWorld(client, subscription, signal);
  const world = { ...there, inventory: inventory ?? there.inventory };
  return { subscription, world, capacities: await capacitiesOf(client, { subscription, world, flags }, signal) };
}

interface Files {
  /** Of the Subscription's file. */
  readonly objects: Awaited<ReturnType<typeof readObjects>>;
  readonly clusters: string;
}

async function fromFiles(subscription: Subscription, { objects, clusters: file }: Files): Promise<Question> {
  const { objects: others, capacities = noCapacities } = await readClusters(file);
  const all = [...objects, ...others];
  const [inventory] = ofKind(all, FeedInventory);
  const clusters = ofKind(all, ManagedCluster);
  return { subscription, capacities, world: { clusters, inventory, bases: [], subscriptions: [] } };
}

async function capacitiesOf(
  parent: Client,
  { subscription, world, flags }: Omit<Question, "capacities"> & { readonly flags: PlacementFlags },
  signal: AbortSignal,
): Promise<Capacities> {
  if (!flags.capacity) return noCapacities;
  const { clusters, inventory } = world;
  return askOnce(subscription, { parent, clusters, needs: needsOf(inventory), timeoutMs: flags.capacityTimeoutMs }, signal);
}

async function liveWorld(client: Client, subscription: Subscription, signal: AbortSignal): Promise<PlacementWorld> {
  const labelSelector = subscription.status?.bindingClusters === undefined ? selectorOf(subscription) : undefined;
  return readWorld(client, { subscription, labelSelector }, signal);
}

interface PlacementQuestion {
  readonly subscription: Subscription;
  readonly capacities: Capacities;
  readonly flags: PlacementFlags;
  readonly cluster: string | undefined;
}

async function placementIn(
  world: PlacementWorld,
  { subscription, capacities, flags, cluster }: PlacementQuestion,
): Promise<Placement> {
  const input = await inputFor(world, { subscription, capacities, flags });
  const decide = (of: Subscription, asked: FailoverInput): Decision => scheduleWithRebalance(of, { ...asked, turn: noTurn });
  const decision = decide(subscription, input);
  const about = cluster === undefined ? {} : { cluster: keyOfCluster(cluster, input.snapshot) };
  const hints = placementHints(subscription, { input, decision, ...about, decide });
  return { ...explainPlacement(subscription, { ...input, decision, ...about }), ...(hints.length === 0 ? {} : { hints }) };
}

/** What a decision about a live Subscription is made from. */
export async function liveInput(
  client: Client,
  { subscription, flags }: Pick<PlacementQuestion, "subscription" | "flags">,
  signal: AbortSignal,
): Promise<FailoverInput> {
  const world = await liveWorld(client, subscription, signal);
  return inputFor(world, { subscription, flags, capacities: await capacitiesOf(client, { subscription, world, flags }, signal) });
}

async function inputFor(
  world: PlacementWorld,
  { subscription, capacities, flags }: Omit<PlacementQuestion, "cluster">,
): Promise<FailoverInput> {
  const snapshot = takeSnapshot(world.clusters);
  const bindings = new BindingCounts();
  for (const object of world.subscriptions) bindings.onChange({ type: "added", object });
  return {
    snapshot,
    profile: await profileFor(subscription, flags),
    existing: clustersOf(world.bases, snapshot),
    needs: needsOf(world.inventory),
    capacities,
    bindings,
    ...fleetNow(world.clusters),
  };
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
