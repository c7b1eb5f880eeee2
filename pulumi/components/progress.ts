// While `pulumi up` waits for a Subscription: which clusters are not there yet, and why, as diagnostics of the program.
//
// The Kubernetes provider only says that a condition is not true yet. What the condition says, cluster by cluster, is read here from the
// parent, beside the waiting, and never decides anything: the state and the plan stay as they would be without it.

import * as pulumi from "@pulumi/pulumi";
import { Subscription as SubscriptionKind } from "#api/apps/v1alpha1/subscription.ts";
import { conditionTypes } from "#api/names.ts";
import type { Client } from "#kube/client.ts";
import { backgroundClock, type Clock } from "#std/clock.ts";
import { connectParent, type ConnectedClient, type ParentAccess } from "./parent-client.ts";

export interface ProgressOptions extends ParentAccess {
  /** What the diagnostics are shown with, such as the component that made the Subscription. */
  readonly shownWith?: pulumi.Resource;
  /** The Subscription is not looked for before these are there. */
  readonly after?: readonly pulumi.Resource[];
}

/** A wait that is shorter needs no progress. */
const FIRST_LOOK_MS = 1_500;
const LOOK_AGAIN_MS = 1_500;
/** A wait that takes long is looked at less often, so that its diagnostics can still be read. */
const LOOK_AGAIN_MS_MAX = 10_000;
const GROWTH = 1.3;

/** Where to look for the reason, in the order of what happens: the first that is not true is what everything else waits for. */
const STAGES: readonly string[] = [
  conditionTypes.scheduled,
  conditionTypes.feedsResolved,
  conditionTypes.deletionBlocked,
  conditionTypes.delivered,
  conditionTypes.available,
];

type Status = SubscriptionKind["status"];

/** What a waiting person is told; undefined: nothing is in the way, or nobody has looked at this generation yet. */
export function progressText(subscription: Pick<SubscriptionKind, "metadata" | "status">): string | undefined {
  const { metadata, status } = subscription;
  const found = STAGES.flatMap((type) => currentCondition(status, { type, generation: metadata.generation })).find(
    ({ type, status: value }) => (type === conditionTypes.deletionBlocked ? value === "True" : value !== "True"),
  );
  return found === undefined ? undefined : `${found.type}: ${found.message}`;
}

type Condition = NonNullable<NonNullable<Status>["conditions"]>[number];

function currentCondition(
  status: Status,
  { type, generation }: { readonly type: string; readonly generation: number | undefined },
): readonly Condition[] {
  const found = status?.conditions?.find((condition) => condition.type === type);
  return found === undefined || found.observedGeneration !== generation ? [] : [found];
}

/** Says what `subscription` waits for, whenever that changes, until `pulumi up` is done with it. Does nothing in a preview. */
export function showProgress(
  subscription: pulumi.CustomResource & { getInputs(): { readonly metadata?: unknown } },
  options: ProgressOptions,
): void {
  if (pulumi.runtime.isDryRun()) return;
  const done = new AbortController();
  subscription.urn.apply(() => {
    done.abort();
  });
  const begin = pulumi.all([options.kubeconfig, subscription.getInputs().metadata, (options.after ?? []).map(({ urn }) => urn)]);
  begin.apply(([kubeconfig, metadata]) => {
    const { namespace = "default", name } = metadata as { readonly namespace?: string; readonly name?: string };
    if (name === undefined || name === "") return;
    const say = (text: string): void => {
      void pulumi.log.info(`Waiting for Subscription ${namespace}/${name}: ${text}`, options.shownWith);
    };
    const { context } = options;
    const connect = (): Promise<ConnectedClient> => connectParent(kubeconfig, context);
    // Not awaited: the program goes on, and ends when the Subscription is done.
    void follow({ key: { namespace, name }, connect, say, clock: backgroundClock }, done.signal);
  });
}

export interface Following {
  readonly key: { readonly namespace: string; readonly name: string };
  readonly connect: () => Promise<{ readonly client: Pick<Client, "get"> } & AsyncDisposable>;
  readonly say: (text: string) => void;
  readonly clock: Clock;
}

/** Never throws: a parent that cannot be asked is for whoever waits to complain about. */
export async function follow(following: Following, signal: AbortSignal): Promise<void> {
  await following.clock.sleep(FIRST_LOOK_MS, signal);
  if (!signal.aborted) await look(following, signal);
}

async function look({ key, connect, say, clock }: Following, signal: AbortSignal): Promise<void> {
  try {
    await using parent = await connect();
    let said: string | undefined;
    for (let waitMs = LOOK_AGAIN_MS; !signal.aborted; waitMs = Math.min(waitMs * GROWTH, LOOK_AGAIN_MS_MAX)) {
      const found = await parent.client.get(SubscriptionKind, key, signal).catch(() => undefined);
      const text = found === undefined ? undefined : progressText(found);
      if (text !== undefined && text !== said) say(text);
      said = text ?? said;
      await clock.sleep(waitMs, signal);
    }
  } catch {
    // The reason may quote the kubeconfig.
    say("its progress cannot be shown, because the parent's kubeconfig cannot be used from here");
  }
}
