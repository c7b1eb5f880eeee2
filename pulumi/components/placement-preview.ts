// In `pulumi preview`: where a Subscription would go, and why not elsewhere, as diagnostics of the program.
//
// The decision is that of the scheduler's own function over the clusters that the parent has now; a Subscription that is divided by capacity
// asks the children, too, as whoever the kubeconfig is. It shows and decides nothing: a parent
// that cannot be asked costs a line and at most a few seconds.

import * as pulumi from "@pulumi/pulumi";
import { FeedInventory } from "#api/apps/v1alpha1/feed-inventory.ts";
import { Subscription as SubscriptionKind } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { parseObject } from "#api/validation.ts";
import type { Client } from "#kube/client.ts";
import { askOnce } from "#scheduler/ask-once.ts";
import type { Capacities } from "#scheduler/capacity.ts";
import { defaultProfile } from "#scheduler/default-plugins.ts";
import { explainPlacement } from "#scheduler/explain-placement.ts";
import { needsOf } from "#scheduler/feed-needs.ts";
import type { FeedNeed } from "#scheduler/plugin.ts";
import { schedule } from "#scheduler/schedule.ts";
import { takeSnapshot } from "#scheduler/snapshot.ts";
import { shortList } from "#std/short-list.ts";
import { connectParent, type ConnectedClient, type ParentAccess } from "./parent-client.ts";

/** A preview must not wait for a parent that does not answer. */
const ANSWER_MS_MAX = 5_000;
/** Nor for children: they are asked after the parent has answered. */
const CAPACITY_MS_MAX = 3_000;

/** Clusters in a diagnostic; the rest is a number. */
const CHANGES_SHOWN_MAX = 10;

export type PreviewedSubscription = pulumi.CustomResource & {
  getInputs(): { readonly metadata?: unknown; readonly spec?: unknown };
};

/** Resolves when everything that can be said is said; never rejects. */
export async function showPlacement(
  subscription: PreviewedSubscription,
  access: ParentAccess & { readonly shownWith?: pulumi.Resource },
): Promise<void> {
  const { metadata, spec } = subscription.getInputs();
  const known = pulumi.all([access.kubeconfig, metadata, spec]);
  // What is not known before `pulumi up` is never resolved in a preview.
  if (!(await isKnown(known))) return;
  await new Promise<void>((resolve) => {
    known.apply(async ([kubeconfig, resolvedMetadata, resolvedSpec]) => {
      const wanted = {
        apiVersion: SubscriptionKind.apiVersion,
        kind: SubscriptionKind.kind,
        metadata: resolvedMetadata,
        spec: resolvedSpec,
      };
      const connect = (): Promise<ConnectedClient> => connectParent(kubeconfig, access.context);
      const signal = AbortSignal.timeout(ANSWER_MS_MAX + CAPACITY_MS_MAX);
      const text = await placementPreview(wanted, connect, signal);
      if (text !== undefined) await pulumi.log.info(text, access.shownWith);
      resolve();
    });
  });
}

/** Of every Output, though not in its declared type. */
function isKnown(output: pulumi.Output<unknown>): Promise<boolean> {
  return (output as unknown as { readonly isKnown?: Promise<boolean> }).isKnown ?? Promise.resolve(true);
}

/** undefined: nothing would change, or the object cannot be one yet. */
export async function placementPreview(
  wanted: object,
  connect: () => Promise<{ readonly client: Pick<Client, "get" | "list" | "request"> } & AsyncDisposable>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const parsed = parseObject(SubscriptionKind, wanted);
  if (!parsed.valid) return undefined;
  const { namespace = "default", name } = parsed.value.metadata;
  const title = `Subscription ${namespace}/${name}`;
  try {
    await using connected = await connect();
    const { client: parent } = connected;
    const key = { namespace, name };
    const answered = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]);
    const [{ items: clusters }, current, inventory] = await Promise.all([
      parent.list(ManagedCluster, {}, answered),
      parent.get(SubscriptionKind, key, answered),
      parent.get(FeedInventory, key, answered),
    ]);
    const { status } = current ?? {};
    const subscription = {
      ...parsed.value,
      metadata: { ...parsed.value.metadata, namespace },
      ...(status === undefined ? {} : { status }),
    };
    const needs = needsOf(inventory);
    const capacities = await askOnce(subscription, { parent, clusters, needs, timeoutMs: CAPACITY_MS_MAX }, signal);
    return `${title}: ${decidedText(subscription, { clusters, needs, capacities })}`;
  } catch {
    // The reason may quote the kubeconfig.
    return `${title}: where it would go cannot be shown, because the parent does not answer (before the first \`pulumi up\` it has no clusters)`;
  }
}

interface World {
  readonly clusters: readonly ManagedCluster[];
  readonly needs: readonly FeedNeed[];
  readonly capacities: Capacities;
}

function decidedText(subscription: SubscriptionKind, { clusters, needs, capacities }: World): string {
  const { schedulerName } = subscription.spec;
  const input = { snapshot: takeSnapshot(clusters), profile: defaultProfile(schedulerName), needs, capacities };
  const decision = schedule(subscription, input);
  const { changes, condition } = explainPlacement(subscription, { ...input, decision });
  const changed =
    changes.length === 0
      ? ["no binding changes"]
      : shortList(
          changes.map(({ text }) => text),
          CHANGES_SHOWN_MAX,
        );
  return condition.status === "True" ? changed.join("; ") : `${condition.message}; ${changed.join("; ")}`;
}
