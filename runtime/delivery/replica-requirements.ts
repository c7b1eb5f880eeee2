// A feed's template -> how many replicas it wants and what one of them needs (an entry of a FeedInventory). Pure.
//
// A chart is installed whole: it is one replica, and needs what everything in it needs together.

import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import type { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { compareText } from "#std/compare-text.ts";
import { formatBinary, formatDecimal, nanoUnits } from "#std/quantity.ts";
import { identityOf } from "./feeds.ts";
import { at, interpreterOf, type Interpreters } from "./interpreters.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { hostPortsOf, podLabelsOf, volumesOf } from "./pod-place.ts";

export type FeedOrder = FeedInventory["spec"]["feeds"][number];
export type Requirements = NonNullable<FeedOrder["replicaRequirements"]>;

interface Shape {
  /** JSON pointers into the template. */
  readonly replicas?: string | undefined;
  readonly podTemplate?: string | undefined;
}

const TEMPLATE = "/spec/template";
const STATEFUL_SET = "apps/v1/StatefulSet";

/** A Pod is one replica and stays one: there is no field to divide. */
const SHAPES: Readonly<Record<string, Shape>> = {
  ...Object.fromEntries(
    ["apps/v1/Deployment", STATEFUL_SET, "apps/v1/ReplicaSet"].map((kind) => [
      kind,
      { replicas: "/spec/replicas", podTemplate: TEMPLATE },
    ]),
  ),
  "batch/v1/Job": { replicas: "/spec/parallelism", podTemplate: TEMPLATE },
  "v1/Pod": { podTemplate: "" },
};

/** As nodes call it. */
const PODS = "pods";
const ONE = 1_000_000_000n;

/** What Kubernetes takes when the field is absent. */
const REPLICAS_DEFAULT = 1;

export function feedOrderOf(feed: Feed, template: JsonObject, interpreters: Interpreters): FeedOrder {
  const { apiVersion, kind, namespace, name } = feed;
  const reference = { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
  const { replicas, podTemplate } = shapeOf(feed, interpreters);
  const pod = podTemplate === undefined ? undefined : at(template, `${podTemplate}/spec`);
  return {
    ...reference,
    ...(replicas === undefined ? {} : { desiredReplicas: replicasAt(template, replicas), replicaJsonPath: replicas }),
    ...(isJsonObject(pod)
      ? {
          replicaRequirements: {
            ...requirementsOf(pod),
            ...placeOf(pod, {
              metadata: at(template, `${podTemplate ?? ""}/metadata`),
              templates: claimTemplates(feed, template),
            }),
          },
        }
      : {}),
  };
}

/** JSON pointer of the field with the number of replicas; undefined: objects of this kind are not divided. */
export function replicasPathOf(
  kind: { readonly apiVersion: string; readonly kind: string },
  interpreters: Interpreters,
): string | undefined {
  return shapeOf(kind, interpreters).replicas;
}

function shapeOf(object: { readonly apiVersion: string; readonly kind: string }, interpreters: Interpreters): Shape {
  return interpreterOf(interpreters, object) ?? SHAPES[`${object.apiVersion}/${object.kind}`] ?? {};
}

/** The kinds whose objects run pods. */
export function countedKinds(interpreters: Interpreters): ReadonlySet<string> {
  const own = Object.keys(SHAPES).map((key) => key.slice(key.lastIndexOf("/") + 1));
  return new Set([...own, ...[...interpreters.values()].map(({ kind }) => kind)]);
}

/**
 * What the objects of one release need together; `pods` is how many there are. undefined: they run nothing. Where a pod may run is
 * said when it is the same for all of them. The sum of limits is none: what has no limit is not in it.
 */
export function releaseRequirements(objects: readonly JsonObject[], interpreters: Interpreters): Requirements | undefined {
  let requests: Amounts = new Map();
  const places: Omit<Requirements, "resources">[] = [];
  for (const object of objects) {
    const identity = identityOf(object);
    if (identity === undefined) continue;
    const { desiredReplicas = REPLICAS_DEFAULT, replicaRequirements } = feedOrderOf(identity, object, interpreters);
    if (replicaRequirements === undefined) continue;
    // A port or a label is one pod's, and not the release's.
    const { resources, hostPorts: _ports, podLabels: _labels, volumes: _volumes, ...place } = replicaRequirements;
    const replicas = BigInt(desiredReplicas);
    const own = new Map([...parsed(resources?.requests), [PODS, ONE] as const]);
    requests = added(requests, new Map([...own].map(([name, amount]) => [name, amount * replicas])));
    places.push(place);
  }
  const [first] = places;
  if (first === undefined) return undefined;
  const place = places.every((each) => deepEqual(each, first)) ? first : {};
  return { ...place, resources: { requests: textsOf(requests) } };
}

function claimTemplates({ apiVersion, kind }: Feed, template: JsonObject): unknown {
  return `${apiVersion}/${kind}` === STATEFUL_SET ? at(template, "/spec/volumeClaimTemplates") : undefined;
}

/** What upstream's schedulers do not ask about. */
function placeOf(
  pod: JsonObject,
  { metadata, templates }: { readonly metadata: unknown; readonly templates: unknown },
): Pick<Requirements, "hostPorts" | "podLabels" | "volumes"> {
  const [hostPorts, podLabels, volumes] = [hostPortsOf(pod), podLabelsOf(metadata, pod), volumesOf(pod, templates)];
  return {
    ...(hostPorts.length === 0 ? {} : { hostPorts }),
    ...(podLabels === undefined ? {} : { podLabels }),
    ...(volumes.length === 0 ? {} : { volumes }),
  };
}

function replicasAt(template: JsonObject, path: string): number {
  const value = at(template, path);
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : REPLICAS_DEFAULT;
}

function requirementsOf(pod: JsonObject): Requirements {
  const { nodeSelector, tolerations, affinity } = pod;
  return {
    ...(isJsonObject(nodeSelector) ? { nodeSelector: nodeSelector as NonNullable<Requirements["nodeSelector"]> } : {}),
    ...(Array.isArray(tolerations) ? { tolerations: tolerations as NonNullable<Requirements["tolerations"]> } : {}),
    ...(isJsonObject(affinity) ? { affinity: affinity } : {}),
    resources: { ...sumOf(pod, "requests"), ...sumOf(pod, "limits") },
  };
}

/** Resource -> nano-units. */
export type Amounts = ReadonlyMap<string, bigint>;

/** What one pod asks for, as kube-scheduler counts it. */
export function podRequests(pod: JsonObject): Amounts {
  return totalOf(pod, "requests");
}

/**
 * As the scheduler of Kubernetes counts: what runs at the same time is added, an init container counts with the sidecars that started
 * before it, and the larger of the two is what the pod needs; then its overhead. Resources of the pod as a whole stand for the sum.
 */
function totalOf(pod: JsonObject, which: "requests" | "limits"): Amounts {
  let running: Amounts = new Map();
  let starting: Amounts = new Map();
  for (const container of containersOf(pod, "initContainers")) {
    const own = amountsOf(container, which);
    if (container["restartPolicy"] === "Always") {
      running = added(running, own);
      starting = larger(starting, running);
    } else starting = larger(starting, added(running, own));
  }
  for (const container of containersOf(pod, "containers")) running = added(running, amountsOf(container, which));
  const whole = new Map([...larger(running, starting), ...amountsOf(pod, which)]);
  const overhead = parsed(pod["overhead"]);
  // A limit that is not set is no limit, whatever the overhead.
  return added(whole, which === "requests" ? overhead : new Map([...overhead].filter(([name]) => whole.has(name))));
}

function sumOf(pod: JsonObject, which: "requests" | "limits"): Partial<Record<"requests" | "limits", Record<string, string>>> {
  const total = totalOf(pod, which);
  return total.size === 0 ? {} : { [which]: textsOf(total) };
}

function textsOf(amounts: Amounts): Record<string, string> {
  const texts = [...amounts].toSorted(([a], [b]) => compareText(a, b)).map(([name, amount]) => [name, formatted(name, amount)]);
  return Object.fromEntries(texts) as Record<string, string>;
}

function containersOf(pod: JsonObject, field: "containers" | "initContainers"): readonly JsonObject[] {
  const containers = pod[field];
  return Array.isArray(containers) ? containers.filter(isJsonObject) : [];
}

/** A request that is not set is the limit. */
function amountsOf({ resources }: JsonObject, which: "requests" | "limits"): Amounts {
  if (!isJsonObject(resources)) return new Map();
  const limits = parsed(resources["limits"]);
  return which === "limits" ? limits : new Map([...limits, ...parsed(resources["requests"])]);
}

/** Text that is no quantity is left out: the child's API server refuses the object anyway. */
function parsed(quantities: unknown): Amounts {
  if (!isJsonObject(quantities)) return new Map();
  return new Map(
    Object.entries(quantities).flatMap(([name, text]) => {
      const amount = nanoUnits(String(text));
      return amount === undefined ? [] : [[name, amount] as const];
    }),
  );
}

function added(a: Amounts, b: Amounts): Amounts {
  return merged(a, b, (one, other) => one + other);
}

function larger(a: Amounts, b: Amounts): Amounts {
  return merged(a, b, (one, other) => (one > other ? one : other));
}

function merged(a: Amounts, b: Amounts, merge: (one: bigint, other: bigint) => bigint): Amounts {
  return new Map([...new Set([...a.keys(), ...b.keys()])].map((name) => [name, merge(a.get(name) ?? 0n, b.get(name) ?? 0n)]));
}

function formatted(name: string, amount: bigint): string {
  return /^(memory|ephemeral-storage|storage|hugepages-)/.test(name) ? formatBinary(amount) : formatDecimal(amount);
}
