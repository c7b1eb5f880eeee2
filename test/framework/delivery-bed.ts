// A parent and children for delivery tests: real control planes, the real scheduler and controller-manager, and of the agent its delivery
// controllers with a heartbeat. Registration and tunnel have tests of their own; here a child simply is a member.

import { Description } from "#api/apps/v1alpha1/description.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { kinds } from "#api/kinds.ts";
import type { KubeObject, LabelSelector } from "#api/meta.ts";
import { annotations, conditionTypes, eventComponents, labels, namespaces } from "#api/names.ts";
import { chartControllers, deliveryControllers } from "#agent/controllers/delivery.ts";
import { createControllerManager } from "#controller-manager/controller-manager.ts";
import { parseControllerManagerOptions } from "#controller-manager/options.ts";
import { CustomResourceDefinition, Namespace } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { isConditionTrue, rfc3339 } from "#kube/conditions.ts";
import { connectKubeconfig, type Connection } from "#kube/connection.ts";
import { createEventRecorder } from "#kube/events.ts";
import { createInformer } from "#kube/informer.ts";
import { runManager } from "#kube/manager.ts";
import { crdObjects } from "#install/crds.ts";
import { createHelmTools } from "#delivery/helm/helm-tools.ts";
import { loadProfiles } from "#scheduler/load-profiles.ts";
import { createScheduler } from "#scheduler/scheduler.ts";
import { parseSchedulerOptions } from "#scheduler/options.ts";
import { realClock } from "#std/clock.ts";
import { createLogger, silentLogger, type Logger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { countRequests, type RequestCounter } from "#test/framework/request-counter.ts";

export interface Running {
  readonly counter: RequestCounter;
  /** Like SIGTERM. */
  stop(): Promise<void>;
}

export interface Child {
  readonly name: string;
  readonly clusterId: string;
  readonly controlPlane: ControlPlane;
  /** As its administrator. */
  readonly client: Client;
  startAgent(): Running;
}

export interface DeliveryBed extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  /** As the parent's administrator. */
  readonly parent: Client;
  readonly children: readonly Child[];
  readonly signal: AbortSignal;
  startScheduler(flags?: readonly string[]): Running;
  startControllerManager(flags?: readonly string[]): Running;
  /** Stores a template. `allow`: namespaces whose Subscriptions may use it. */
  template(object: KubeObject, options?: { readonly allow?: string }): Promise<void>;
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  subscription(name: string): Promise<Subscription | undefined>;
  /** Waits until a condition of the Subscription is True for its newest generation. */
  condition(name: string, type: string): Promise<Subscription>;
  /** Before what depends on it: replicas are divided, and groups chosen, among the clusters that are there. */
  childrenReady(): Promise<true>;
}

export interface SubscribeOptions {
  readonly name: string;
  readonly feeds: Subscription["spec"]["feeds"];
  readonly affinity?: LabelSelector;
  readonly spec?: Partial<Subscription["spec"]>;
}

export interface DeliveryBedOptions {
  /** Path of helm, for charts. */
  readonly helm?: string;
  readonly children: number;
  readonly syncMode?: "Pull" | "Push" | "Dual";
  readonly appPusher?: boolean;
  /** How the components reach the parent, when not straight: a proxy that plays the hub. */
  readonly parentConnection?: (controlPlane: ControlPlane) => Promise<Connection>;
}

/** Namespace of the tests' Subscriptions and templates. */
export const SHOP = "shop";

/** Short, so that silence shows after the shortest grace that the lifecycle controller knows (10 s). */
const HEARTBEAT_MS = 1_000;

const log: Logger = process.env["TEST_LOG"] === undefined ? silentLogger : createLogger({ component: "test", level: "debug" });

export async function startDeliveryBed(options: DeliveryBedOptions): Promise<DeliveryBed> {
  const stack = new AsyncDisposableStack();
  const stopping = new AbortController();
  const { signal } = stopping;
  const start = async (name: string): Promise<{ controlPlane: ControlPlane; client: Client }> => {
    const controlPlane = stack.use(await startControlPlane({ name }));
    const connection = stack.use(await connectKubeconfig({ path: controlPlane.adminKubeconfig }));
    return { controlPlane, client: createClient(connection, { component: "test" }) };
  };
  const numbers = Array.from({ length: options.children }, (_, index) => index + 1);
  const [parentSide, ...childSides] = await Promise.all([
    start("parent"),
    ...numbers.map((number) => start(`child-${String(number)}`)),
  ]);
  const { controlPlane, client: parent } = parentSide;
  await installParent(parent, signal);
  const running = new Set<Running>();
  const context: Context = { controlPlane, parent, options, signal, running };
  const children = await Promise.all(childSides.map((side, index) => joinChild({ ...side, number: index + 1 }, context)));
  stack.defer(async () => {
    await Promise.allSettled([...running].map((each) => each.stop()));
    stopping.abort(new Error("The test is over"));
  });
  return { ...bedFunctions(context), controlPlane, parent, children, signal, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Context {
  readonly controlPlane: ControlPlane;
  readonly parent: Client;
  readonly options: DeliveryBedOptions;
  readonly signal: AbortSignal;
  readonly running: Set<Running>;
}

type BedFunctions = Omit<DeliveryBed, "controlPlane" | "parent" | "children" | "signal" | typeof Symbol.asyncDispose>;

function bedFunctions(context: Context): BedFunctions {
  const { parent, signal } = context;
  const subscription = (name: string): Promise<Subscription | undefined> =>
    parent.get(Subscription, { namespace: SHOP, name }, signal);
  return {
    startScheduler: (flags = []) =>
      run(context, async (connection, ownLog, runSignal) => {
        const alone = flags.some((flag) => flag.startsWith("--leader-elect=")) ? [] : ["--leader-elect=false"];
        const options = parseSchedulerOptions([...alone, "--health-port=0", ...flags], {});
        const profiles = await loadProfiles(options);
        await createScheduler(options, { connection, profiles, clock: realClock, log: ownLog }).run(runSignal);
      }),
    startControllerManager: (flags = []) =>
      run(context, (connection, ownLog, runSignal) =>
        createControllerManager(parseControllerManagerOptions(["--leader-elect=false", "--health-port=0", ...flags], {}), {
          connection,
          clock: realClock,
          log: ownLog,
        }).run(runSignal),
      ),
    template: async (object, { allow } = {}) => {
      await parent.apply(Manifest, manifestOf(object, allow), { fieldManager: "test", force: true }, signal);
    },
    subscribe: ({ name, feeds, affinity = { matchLabels: { fleet: "yes" } }, spec = {} }) =>
      parent.create(
        Subscription,
        {
          apiVersion: Subscription.apiVersion,
          kind: Subscription.kind,
          metadata: { namespace: SHOP, name },
          spec: { subscribers: [{ clusterAffinity: affinity }], feeds, ...spec } as Subscription["spec"],
        },
        signal,
      ),
    subscription,
    childrenReady: () =>
      eventually("every child is Ready", async () => {
        const { items } = await parent.list(ManagedCluster, {}, signal);
        const isReady = ({ status }: ManagedCluster): boolean => isConditionTrue(status?.conditions, conditionTypes.ready);
        return items.length === context.options.children && items.every(isReady);
      }),
    condition: (name, type) =>
      eventually(`Subscription ${name} is ${type}`, async () => {
        const current = await subscription(name);
        const found = current?.status?.conditions?.find((condition) => condition.type === type);
        if (found?.status === "True" && found.observedGeneration === current?.metadata.generation) return current;
        throw new Error(`${JSON.stringify(current?.status?.conditions)} bound to ${String(current?.status?.bindingClusters)}`);
      }),
  };
}

/** A component in this process, with a connection of its own, so that its requests are counted apart. */
function run(context: Context, work: (connection: Connection, ownLog: Logger, signal: AbortSignal) => Promise<void>): Running {
  const controller = new AbortController();
  let counter: RequestCounter | undefined;
  const finished = (async () => {
    await using connection = await (context.options.parentConnection?.(context.controlPlane) ??
      connectKubeconfig({ path: context.controlPlane.adminKubeconfig }));
    counter = countRequests(connection);
    await work(counter.connection, log, controller.signal);
  })();
  finished.catch((error: unknown) => {
    if (!controller.signal.aborted) console.error("A component stopped by itself", error);
  });
  const running: Running = {
    get counter() {
      if (counter === undefined) throw new Error("It has not connected yet");
      return counter;
    },
    stop: async () => {
      context.running.delete(running);
      controller.abort(new Error("Stopped by the test"));
      await finished.catch(() => undefined);
    },
  };
  context.running.add(running);
  return running;
}

async function installParent(parent: Client, signal: AbortSignal): Promise<void> {
  const manager = { fieldManager: "test", force: true };
  const crds = crdObjects() as unknown as readonly CustomResourceDefinition[];
  await Promise.all([
    ...crds.map((crd) => parent.apply(CustomResourceDefinition, crd, manager, signal)),
    ...[namespaces.system, namespaces.reserved, SHOP].map((name) => makeNamespace(parent, name, signal)),
  ]);
  await eventually("our kinds are served", async () => {
    // Each by itself: what is Established is served a moment later, and not all at once.
    await Promise.all(kinds.map((kind) => parent.list(kind, {}, signal)));
    return true;
  });
}

async function makeNamespace(client: Client, name: string, signal: AbortSignal): Promise<void> {
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await client.apply(Namespace, object, { fieldManager: "test", force: true }, signal);
}

interface ChildSide {
  readonly controlPlane: ControlPlane;
  readonly client: Client;
  readonly number: number;
}

async function joinChild({ controlPlane, client, number }: ChildSide, context: Context): Promise<Child> {
  const { parent, options, signal } = context;
  const name = `child-${String(number)}`;
  const system = await client.get(Namespace, { name: "kube-system" }, signal);
  const clusterId = system?.metadata.uid ?? "";
  await Promise.all([makeNamespace(parent, name, signal), makeNamespace(client, SHOP, signal)]);
  await parent.create(
    ManagedCluster,
    {
      apiVersion: ManagedCluster.apiVersion,
      kind: ManagedCluster.kind,
      metadata: {
        namespace: name,
        name,
        labels: { fleet: "yes", name, [labels.clusterId]: clusterId, [labels.clusterName]: name },
      },
      spec: { clusterId, syncMode: options.syncMode ?? "Pull" },
    },
    signal,
  );
  const child: Child = { name, clusterId, controlPlane, client, startAgent: () => startAgent(child, context) };
  return child;
}

function startAgent(child: Child, context: Context): Running {
  return run(context, async (connection, ownLog, signal) => {
    await using childConnection = await connectKubeconfig({ path: child.controlPlane.adminKubeconfig });
    const parent = createClient(connection, { component: "agent" });
    const shared = { clock: realClock, log: ownLog, metrics: createMetrics() };
    const informers = {
      descriptions: createInformer(parent, Description, { ...shared, namespace: child.name }),
      helmReleases: createInformer(parent, HelmRelease, { ...shared, namespace: child.name }),
      managedClusters: createInformer(parent, ManagedCluster, { ...shared, namespace: child.name }),
    };
    await using helmTools = createHelmTools({ ...shared, binary: context.options.helm ?? "helm", searchPath: "" });
    const client = createClient(childConnection, { component: "agent" });
    const deps = {
      ...shared,
      parent,
      child: client,
      childAs: () => client,
      informers,
      events: createEventRecorder({ client: parent, component: eventComponents.agent, clock: realClock }),
    };
    const heartbeat = { name: "heartbeat", run: (each: AbortSignal) => beat({ child, parent, options: context.options }, each) };
    const controllers = [...deliveryControllers(deps), ...chartControllers({ ...deps, helmTools })];
    await runManager({ ...shared, informers: Object.values(informers), controllers, tasks: [heartbeat] }, signal);
  });
}

async function beat(
  { child, parent, options }: { readonly child: Child; readonly parent: Client; readonly options: DeliveryBedOptions },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const now = new Date().toISOString();
    const current = await parent.get(ManagedCluster, { namespace: child.name, name: child.name }, signal);
    const others = current?.status?.conditions?.filter(({ type }) => type !== conditionTypes.ready) ?? [];
    const ready = current?.status?.conditions?.find(({ type, status }) => type === conditionTypes.ready && status === "True");
    const status = {
      lastObservedTime: now,
      heartbeatFrequencySeconds: HEARTBEAT_MS / 1_000,
      appPusher: options.appPusher ?? false,
      conditions: [
        ...others,
        ready ?? {
          type: conditionTypes.ready,
          status: "True",
          reason: "ManagedClusterReady",
          message: "",
          lastTransitionTime: rfc3339(Date.now()),
        },
      ],
    };
    const key = { namespace: child.name, name: child.name };
    if (current !== undefined) {
      await parent
        .patch(ManagedCluster, key, { type: "merge", body: { status }, subresource: "status" }, signal)
        .catch(() => undefined);
    }
    await realClock.sleep(HEARTBEAT_MS, signal);
  }
}

function manifestOf(object: KubeObject, allow: string | undefined): Manifest {
  const { kind, metadata } = object;
  const [group = "", version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion];
  return {
    apiVersion: Manifest.apiVersion,
    kind: Manifest.kind,
    metadata: {
      namespace: namespaces.reserved,
      name: [`${kind.toLowerCase()}s`, ...(metadata.namespace === undefined ? [] : [metadata.namespace]), metadata.name].join(
        ".",
      ),
      labels: {
        [labels.configGroup]: group,
        [labels.configVersion]: version ?? "",
        [labels.configKind]: kind,
        [labels.configName]: metadata.name,
        [labels.configNamespace]: metadata.namespace ?? "",
      },
      ...(allow === undefined ? {} : { annotations: { [annotations.allowSubscriptionsFrom]: allow } }),
    },
    template: object as unknown as Manifest["template"],
  };
}

/** A ConfigMap of the shop: the cheapest thing to deliver. */
export function aConfigMap(
  name: string,
  data: Readonly<Record<string, string>>,
): KubeObject & { readonly data: Readonly<Record<string, string>> } {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: SHOP, name }, data };
}

export function feedOf({ apiVersion, kind, metadata: { namespace, name } }: KubeObject): Subscription["spec"]["feeds"][number] {
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
}
