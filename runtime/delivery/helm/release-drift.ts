// Looks whether a cluster still has what a release installed, and puts it back object by object. helm itself would not see an edit of a
// custom resource, would run the chart's hooks, and would count a revision for each correction.
//
// The record that helm keeps says what was installed. An object is compared with what the API server answers to a dry run, so that
// defaults and webhooks are never taken for drift; it is written as helm would, so that the next upgrade finds nothing in its way.

import type { InventoryEntry } from "#api/apps/v1alpha1/description.ts";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import { Secret } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import type { Discovery } from "#kube/discovery.ts";
import { mergePatch } from "#kube/json-diff.ts";
import { keyOf } from "#kube/object.ts";
import { project, withoutIdentity } from "#kube/owned-fields.ts";
import { inParallel } from "#std/in-parallel.ts";
import { lastManager } from "#delivery/apply-object.ts";
import type { AppliedMemory } from "#delivery/applied-memory.ts";
import { fieldChanges, removesItself, type Drifted } from "#delivery/drift.ts";
import { autoscaledPaths, ignoredPaths, ignoreRules, withoutPaths, type IgnoreRule } from "#delivery/ignored-fields.ts";
import type { Correction, DriftSearch } from "#delivery/keep-as-delivered.ts";
import { entryOf } from "#delivery/plan.ts";
import { problemOfError, type ObjectProblem } from "#delivery/problems.ts";
import { everyObjectIn } from "./chart-objects.ts";
import { releaseKeyOf, releaseKeyText } from "./release-plan.ts";
import { deployedManifest, releaseSecretName } from "./stored-release.ts";

/** As helm names itself in managedFields. */
const FIELD_MANAGER = "helm";

/** Only asked, never stored: what an apply of the manifest would make. */
const ASKING_MANAGER = "clusternet-drift";

/** Requests to one child at a time for one release. */
const OBJECTS_AT_A_TIME = 4;

export interface ReleaseDriftOptions {
  readonly release: HelmRelease;
  readonly child: Client;
  readonly discovery: Discovery;
  readonly memory: AppliedMemory;
}

export interface DriftedPart extends Drifted {
  readonly wanted: KubeObject;
  readonly type: ResourceType;
  /** Undefined: it is not there. */
  readonly patch: object | undefined;
}

/**
 * The objects of the revision that the HelmRelease speaks of, with their namespaces; undefined: that revision is not in force (helm runs,
 * or somebody upgraded, rolled back or uninstalled it by hand).
 */
export async function releaseObjects(
  { release, child, discovery }: Omit<ReleaseDriftOptions, "memory">,
  signal: AbortSignal,
): Promise<readonly KubeObject[] | undefined> {
  const { namespace, name } = releaseKeyOf(release);
  const revision = release.status?.version ?? 0;
  const secret = await child.get(Secret, { namespace, name: releaseSecretName({ name, revision }) }, signal);
  const manifest = secret === undefined ? undefined : deployedManifest(secret);
  if (manifest === undefined) return undefined;
  const objects = everyObjectIn(manifest).flatMap((object) => (isNamed(object) ? [object] : []));
  return Promise.all(
    objects.map(async (object) => {
      if (object.metadata.namespace !== undefined) return object;
      const type = await discovery.resolve(object.apiVersion, object.kind, signal);
      return type?.scope === "Namespaced" ? { ...object, metadata: { ...object.metadata, namespace } } : object;
    }),
  );
}

export async function findReleaseDrift(
  objects: readonly KubeObject[],
  options: ReleaseDriftOptions,
  signal: AbortSignal,
): Promise<DriftSearch<DriftedPart>> {
  const rules = ignoreRules(objects, options.release.spec.delivery ?? {});
  const work = async (wanted: KubeObject): Promise<Look> => {
    try {
      return (await look(wanted, { ...options, rules }, signal)) ?? {};
    } catch (error) {
      if (signal.aborted) throw error;
      return { problem: problemOfError(entryOf(wanted), error) };
    }
  };
  const looks = await inParallel(objects, { atATime: OBJECTS_AT_A_TIME, work }, signal);
  return {
    drifted: looks.flatMap(({ drifted }) => (drifted === undefined ? [] : [drifted])),
    problems: looks.flatMap(({ problem }) => (problem === undefined ? [] : [problem])),
  };
}

export async function putBack(
  { wanted, type, patch }: DriftedPart,
  { child, release }: Pick<ReleaseDriftOptions, "child" | "release">,
  signal: AbortSignal,
): Promise<Correction> {
  const entry: InventoryEntry = entryOf(wanted);
  try {
    const options = { fieldManager: FIELD_MANAGER };
    if (patch === undefined) await child.create(type, ownedBy(release, wanted), signal);
    else await child.patch(type, keyOf(wanted), { type: "merge", body: patch, ...options }, signal);
    return { entry };
  } catch (error) {
    if (signal.aborted) throw error;
    return { problem: problemOfError(entry, error) };
  }
}

interface Look {
  readonly drifted?: DriftedPart;
  readonly problem?: ObjectProblem;
}

async function look(
  object: KubeObject,
  { release, child, discovery, memory, rules }: ReleaseDriftOptions & { readonly rules: readonly IgnoreRule[] },
  signal: AbortSignal,
): Promise<Look | undefined> {
  const owner = releaseKeyText(releaseKeyOf(release));
  const entry = entryOf(object);
  const type = await discovery.resolve(object.apiVersion, object.kind, signal);
  // Its definition is gone, and with it all of its kind: helm says so at the next upgrade.
  if (type === undefined) return undefined;
  const live = await child.get(type, keyOf(object), signal);
  if (live === undefined) {
    if (removesItself(object)) return undefined;
    const drifted: DriftedPart = { object: entry, how: "deleted", fields: [], wanted: object, type, patch: undefined };
    return { drifted };
  }
  if (live.metadata.deletionTimestamp !== undefined) return undefined;
  const wanted = withoutPaths(object, [...ignoredPaths(object, rules), ...autoscaledPaths(live)]);
  if (memory.isAsApplied(owner, { wanted, live })) return undefined;
  const answer = await child.apply(type, wanted, { fieldManager: ASKING_MANAGER, force: true, dryRun: true }, signal);
  const content = withoutIdentity(wanted);
  const [right, found] = [project(content, answer), project(content, live)];
  const fields = fieldChanges(right, found);
  if (fields.length === 0) {
    memory.remember(owner, { wanted, live });
    return undefined;
  }
  const by = lastManager(live, FIELD_MANAGER);
  const { resourceVersion } = live.metadata;
  // What was read may not overwrite what is newer.
  const difference = mergePatch(found, right) as { readonly metadata?: object };
  const patch = { ...difference, metadata: { ...difference.metadata, resourceVersion } };
  return { drifted: { object: entry, how: "changed", by, fields, wanted, type, patch } };
}

/** As helm marks what it installs: without the marks the next upgrade would refuse to touch it. */
function ownedBy(release: HelmRelease, object: KubeObject): KubeObject {
  const { namespace, name } = releaseKeyOf(release);
  const { labels, annotations } = object.metadata;
  return {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { ...labels, "app.kubernetes.io/managed-by": "Helm" },
      annotations: { ...annotations, "meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace },
    },
  };
}

function isNamed(object: unknown): object is KubeObject {
  const { apiVersion, kind, metadata } = object as Partial<KubeObject>;
  return typeof apiVersion === "string" && typeof kind === "string" && typeof metadata?.name === "string";
}
