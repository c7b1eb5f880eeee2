// Base + templates + overrides -> its Descriptions; deleted Base -> no Description, then no finalizer.

import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import type { Feed } from "#api/apps/v1alpha1/feed.ts";
import { normalEventReasons, warningEventReasons } from "#api/event-reasons.ts";
import { annotations, finalizers, labels } from "#api/names.ts";
import { changesBeyondStatus, changesLabels } from "#controller-manager/changes.ts";
import type { DeliveryDeps } from "#controller-manager/deps.ts";
import { basesNaming, by, feedCandidates } from "#controller-manager/informers.ts";
import { chartFeedKeys, manifestFeedKeys, resolveFeed } from "#delivery/feeds.ts";
import { descriptionName, helmDescriptionName } from "#delivery/names.ts";
import { policyPatch } from "#delivery/policy.ts";
import type { RenderProblem } from "#delivery/render.ts";
import { setCondition } from "#kube/conditions.ts";
import { createController, done, ownKey, source, type Controller, type Result } from "#kube/controller.ts";
import { removeFinalizer } from "#kube/finalizers.ts";
import { isAlreadyExists } from "#kube/errors.ts";
import { keyOf, keyTextOf } from "#kube/object.ts";
import { deepEqual } from "#std/canonical-json.ts";
import { patchStatusIfChanged, smallestPatch } from "#kube/write-if-changed.ts";
import { baseConditions, planDescriptions, type BasePlan, type BaseWorld, type DescriptionAction } from "./plan.ts";

export interface BaseDeps extends DeliveryDeps {
  readonly crossNamespaceFeeds: boolean;
}

export function baseController(deps: BaseDeps): Controller {
  const { informers } = deps;
  const { bases, manifests, helmCharts, globalizations, localizations, managedClusters, descriptions } = informers;
  const referringTo = (feed: Feed): readonly string[] => basesNaming(feed, bases).map(keyTextOf);
  const inNamespace = (namespace = ""): readonly string[] => bases.byIndex(by.namespace, namespace).map(keyTextOf);

  return createController({
    ...deps,
    name: "base",
    sources: [
      source(bases, (base, change) => (changesBeyondStatus(change) ? ownKey(base) : [])),
      source(manifests, (manifest, change) =>
        changesBeyondStatus(change)
          ? manifestFeedKeys(manifest).flatMap((key) => bases.byIndex(by.feed, key).map(keyTextOf))
          : [],
      ),
      // Its status decides, too.
      source(helmCharts, (chart) => chartFeedKeys(chart).flatMap((key) => bases.byIndex(by.feed, key).map(keyTextOf))),
      source(globalizations, ({ spec }, change) => (changesBeyondStatus(change) ? referringTo(spec.feed) : [])),
      source(localizations, ({ spec, metadata }, change) => {
        if (!changesBeyondStatus(change)) return [];
        const here = new Set(inNamespace(metadata.namespace));
        return referringTo(spec.feed).filter((key) => here.has(key));
      }),
      source(managedClusters, ({ metadata }, change) => (changesLabels(change) ? inNamespace(metadata.namespace) : [])),
      source(descriptions, ({ metadata }, change) => {
        const uid = metadata.labels?.[labels.configUid];
        return uid === undefined || !changesBeyondStatus(change) ? [] : bases.byIndex(by.uid, uid).map(keyTextOf);
      }),
    ],
    reconcile: (key, signal) => reconcileBase(key, deps, signal),
  });
}

async function reconcileBase(key: string, deps: BaseDeps, signal: AbortSignal): Promise<Result> {
  const base = deps.informers.bases.get(key);
  if (base === undefined) return done;
  if (base.metadata.deletionTimestamp !== undefined) {
    await removeDescriptions(base, deps, signal);
    return done;
  }
  const { actions, problems, overrides } = planDescriptions(base, worldOf(base, deps));
  // Said before it is done, one after the other: a report that fails (the cache lagged) is planned anew, and no old one outlives the deed.
  if (problems !== undefined) await report(base, { problems, overrides, deps }, signal);
  for (const action of actions) {
    // In this order and no other: an object that moves is described in its new place before it leaves the old one.
    if (!(await carryOut(base, { action, deps }, signal))) break;
  }
  return done;
}

function worldOf(base: Base, { informers, crossNamespaceFeeds }: BaseDeps): BaseWorld {
  const { namespace = "", uid = "", labels: own = {} } = base.metadata;
  const rules = { crossNamespaceFeeds, subscriptionNamespace: own[labels.subscriptionNamespace] ?? "" };
  const feeds = base.spec.feeds.map((feed) => resolveFeed(feed, feedCandidates(feed, informers), rules));
  const made = informers.descriptions.byIndex(by.base, uid);
  const descriptionOf = (name: string): Description | undefined =>
    informers.descriptions.get(`${namespace}/${name}`) ?? made.find(({ metadata }) => metadata.name === name);
  const firstName = descriptionName(base.metadata.name);
  const first = descriptionOf(firstName);
  const further = made.filter((each) => each.metadata.annotations?.[annotations.partOf] === firstName);
  return {
    feeds,
    globalizations: informers.globalizations.list(),
    localizations: informers.localizations.byIndex(by.namespace, namespace),
    clusters: informers.managedClusters.byIndex(by.namespace, namespace),
    descriptions: {
      generic: [...(first === undefined ? [] : [first]), ...further],
      helm: descriptionOf(helmDescriptionName(base.metadata.name)),
    },
  };
}

interface Planned {
  readonly action: DescriptionAction;
  readonly deps: BaseDeps;
}

/** False: what is there is not what the cache showed, so what comes after it has to be planned anew. */
async function carryOut(base: Base, { action, deps }: Planned, signal: AbortSignal): Promise<boolean> {
  const { client, events, log } = deps;
  if (action.type === "delete") {
    await deleteDescription(action, deps, signal);
    return true;
  }
  const { description, reason } = action;
  if (action.type === "create") {
    try {
      await client.create(Description, description, signal);
    } catch (error) {
      // Made a moment ago and not in the cache yet. Its arrival there wakes us again, to compare.
      if (!isAlreadyExists(error)) throw error;
      return false;
    }
  } else {
    // One that is going away is replaced when it is gone.
    if (action.current.metadata.deletionTimestamp !== undefined) return true;
    const { labels: own, annotations: marks, finalizers: has = [] } = action.current.metadata;
    const { metadata: wanted, spec } = description;
    const metadata = {
      labels: { ...own, ...wanted.labels },
      annotations: { ...marks, ...wanted.annotations },
      ownerReferences: wanted.ownerReferences,
      finalizers: [...new Set([...has, finalizers.apps])],
    };
    await client.patch(Description, keyOf(action.current), smallestPatch(action.current, { metadata, spec }), signal);
  }
  const created = action.type === "create";
  log.info("description.changed", { change: action.type, description: keyTextOf(description), reason });
  events.record(base, {
    type: "Normal",
    reason: created ? normalEventReasons.descriptionCreated : normalEventReasons.descriptionUpdated,
    message: `Description ${description.metadata.name}: ${reason}`,
  });
  return true;
}

interface Rendered {
  readonly problems: readonly RenderProblem[];
  readonly overrides: BasePlan["overrides"];
  readonly deps: BaseDeps;
}

async function report(base: Base, { problems, overrides, deps }: Rendered, signal: AbortSignal): Promise<void> {
  const now = deps.clock.now();
  const conditions = baseConditions(base, problems).reduce<NonNullable<Base["status"]>["conditions"]>(
    (all, condition) => setCondition(all, condition, now),
    base.status?.conditions,
  );
  const status = {
    observedGeneration: base.metadata.generation ?? 0,
    ...(overrides === undefined ? {} : { overrides }),
    ...(conditions === undefined ? {} : { conditions }),
  };
  await patchStatusIfChanged(deps.client, { type: Base, object: base, status }, signal);
  for (const problem of problems) {
    const reason =
      problem.override === undefined ? warningEventReasons.failedRetrievingObjects : warningEventReasons.failedApplyingOverrides;
    const note = { type: "Warning", reason, message: problem.message } as const;
    deps.events.record(base, note);
    const override = problem.override === undefined ? undefined : findOverride(problem.override, deps);
    if (override !== undefined) deps.events.record(override, note);
  }
}

/** `Globalization web` or `Localization paris/web`, as the problem names it. */
function findOverride(text: string, { informers }: BaseDeps): ReturnType<typeof informers.globalizations.get> {
  const [kind, key = ""] = text.split(" ");
  return kind === "Globalization" ? informers.globalizations.get(key) : informers.localizations.get(key);
}

async function deleteDescription(
  { description, reason }: Pick<DescriptionAction, "description" | "reason">,
  { client, log }: BaseDeps,
  signal: AbortSignal,
): Promise<void> {
  if (description.metadata.deletionTimestamp !== undefined) return;
  const precondition = description.metadata.uid === undefined ? {} : { uid: description.metadata.uid };
  await client.delete(Description, keyOf(description), { propagationPolicy: "Background", ...precondition }, signal);
  log.info("description.changed", { change: "delete", description: keyTextOf(description), reason });
}

/** The last word on what happens to the objects: whoever removes them reads it from the Description. */
async function handPolicyOn(
  base: Base,
  { description, deps }: { readonly description: Description; readonly deps: BaseDeps },
  signal: AbortSignal,
): Promise<void> {
  const { delivery } = base.spec;
  if (deepEqual(description.spec.delivery, delivery)) return;
  const { uid } = description.metadata;
  const body = { metadata: { uid }, spec: { delivery: policyPatch(description.spec.delivery, delivery) } };
  await deps.client.patch(Description, keyOf(description), { type: "merge", body }, signal);
}

async function removeDescriptions(base: Base, deps: BaseDeps, signal: AbortSignal): Promise<void> {
  const { client, informers } = deps;
  const { uid = "", namespace = "" } = base.metadata;
  const known = informers.descriptions.byIndex(by.base, uid);
  const reason = "its Base is being deleted";
  for (const description of known) {
    await handPolicyOn(base, { description, deps }, signal);
    await deleteDescription({ description, reason }, deps, signal);
  }
  if (known.length > 0) return;
  // The cache may not know a Description that was made a moment ago: this once, ask.
  const { items } = await client.list(Description, { namespace, labelSelector: `${labels.configUid}=${uid}` }, signal);
  if (items.length > 0) throw new Error(`${String(items.length)} Descriptions are still there`);
  await removeFinalizer(client, { type: Base, object: base, finalizer: finalizers.apps }, signal);
}
