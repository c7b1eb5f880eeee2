// A real parent with everything that registration needs, and children that are announced to it.

import { createPrivateKey, createSign, randomBytes, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { annotations, serviceAccounts } from "#api/names.ts";
import { clusterLifecycleController } from "#controller-manager/controllers/cluster-lifecycle/controller.ts";
import { clusterRegistrationController } from "#controller-manager/controllers/cluster-registration/controller.ts";
import { createRegistrationInformers } from "#controller-manager/controllers/cluster-registration/informers.ts";
import {
  clusterControllerNamespaceRules,
  clusterControllerRules,
  upstreamAgentRules,
} from "#controller-manager/controllers/cluster-registration/permissions.ts";
import { clusterRemovalController } from "#controller-manager/controllers/cluster-removal/controller.ts";
import { by } from "#controller-manager/informers.ts";
import { admissionObjects } from "#install/admission.ts";
import { bootstrapTokenObject, childNamespaceObject, joinGrantObject, type ChildOnParent } from "#install/child.ts";
import { crdObjects } from "#install/crds.ts";
import type { InstallObject } from "#install/object.ts";
import { accountObjects } from "#install/rbac.ts";
import { ConfigMap, Secret } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connect, connectKubeconfig } from "#kube/connection.ts";
import { createDiscovery } from "#kube/discovery.ts";
import { createEventRecorder } from "#kube/events.ts";
import { createInformer } from "#kube/informer.ts";
import { runManager } from "#kube/manager.ts";
import { realClock, type Clock } from "#std/clock.ts";
import { silentLogger, type Logger } from "#std/log.ts";
import { createMetrics } from "#std/metrics.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { countRequests, type RequestCounter } from "#test/framework/request-counter.ts";

export const SYSTEM = "clusternet-system";
const CONTROLLER_MANAGER_USER = `system:serviceaccount:${SYSTEM}:${serviceAccounts.controllerManager}`;
const BOOTSTRAPPING = "clusternet:system:bootstrapping";
/** Reports every second: silence is noticed after the least grace, ten seconds. */

export interface ControllerSettings {
  readonly autoApprove?: boolean;
  readonly upstreamAgents?: boolean;
  readonly clock?: Clock;
}

export interface RegistrationParent extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  /** As system:masters. */
  readonly admin: Client;
  readonly signal: AbortSignal;
  /** Ends the controllers that run, and starts them anew; counts what they send. */
  runControllers(settings?: ControllerSettings): Promise<RequestCounter>;
  stopControllers(): Promise<void>;
  apply(objects: readonly InstallObject[]): Promise<void>;
  clientAs(user: string, groups?: readonly string[]): Promise<Client>;
  clientWith(token: string): Client;
  /** A token that this parent signed and that ended an hour ago. */
  expiredToken(account: { readonly namespace: string; readonly name: string; readonly uid: string }): Promise<string>;
  request(name: string): Promise<ClusterRegistrationRequest | undefined>;
  cluster(child: Pick<ChildOnParent, "clusterName" | "clusterNamespace">): Promise<ManagedCluster | undefined>;
}

export async function startRegistrationParent(): Promise<RegistrationParent> {
  await using stack = new AsyncDisposableStack();
  const controlPlane = stack.use(await startControlPlane({ name: "registration" }));
  const controller = new AbortController();
  const { signal } = controller;
  const clients: Client[] = [];
  stack.defer(async () => {
    controller.abort(new Error("The test is over"));
    // Whatever was aborted lets go of its connection first.
    await realClock.sleep(100, new AbortController().signal);
    await Promise.all(clients.map((client) => client.connection[Symbol.asyncDispose]()));
  });
  const clientAs = async (user: string, groups: readonly string[] = []): Promise<Client> => {
    const path = await controlPlane.kubeconfigFor({ user, groups: [...groups] });
    const client = createClient(await connectKubeconfig({ path }), { component: "test" });
    clients.push(client);
    return client;
  };
  const admin = await clientAs("kubernetes-admin", ["system:masters"]);
  const apply = createApply(admin, signal);
  await apply(parentObjects());
  let running: { readonly abort: () => void; readonly ended: Promise<void> } | undefined;
  const stopControllers = async (): Promise<void> => {
    running?.abort();
    await running?.ended;
    running = undefined;
  };
  stack.defer(stopControllers);
  const owned = stack.move();
  return {
    controlPlane,
    admin,
    signal,
    apply,
    clientAs,
    stopControllers,
    clientWith: (token) => {
      const { server, caPem } = controlPlane;
      const client = createClient(connect({ server, caPem, token }), { component: "test" });
      clients.push(client);
      return client;
    },
    runControllers: async (settings = {}) => {
      await stopControllers();
      const path = await controlPlane.kubeconfigFor({ user: CONTROLLER_MANAGER_USER, groups: ["system:serviceaccounts"] });
      const counter = countRequests(await connectKubeconfig({ path }));
      const own = new AbortController();
      running = {
        abort: () => {
          own.abort(new Error("Stopped"));
        },
        ended: runControllers(counter, settings, own.signal),
      };
      return counter;
    },
    expiredToken: (account) => signExpiredToken(controlPlane, account),
    request: (name) => admin.get(ClusterRegistrationRequest, { name }, signal),
    cluster: ({ clusterName, clusterNamespace }) =>
      admin.get(ManagedCluster, { namespace: clusterNamespace, name: clusterName }, signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function parentObjects(): readonly InstallObject[] {
  const namespace = (name: string): InstallObject => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  const account = { name: serviceAccounts.controllerManager, namespace: SYSTEM, labels: {} };
  const rbac = "rbac.authorization.k8s.io";
  return [
    namespace(SYSTEM),
    ...crdObjects(),
    ...admissionObjects({ systemNamespace: SYSTEM }),
    ...accountObjects(account, {
      clusterRules: [...clusterControllerRules, ...upstreamAgentRules],
      namespaceRules: clusterControllerNamespaceRules,
    }),
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: BOOTSTRAPPING },
      rules: [{ apiGroups: ["clusters.clusternet.io"], resources: ["clusterregistrationrequests"], verbs: ["get", "create"] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: BOOTSTRAPPING },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: BOOTSTRAPPING },
      subjects: [
        { apiGroup: rbac, kind: "Group", name: "system:bootstrappers:clusternet:register-cluster-token" },
        { kind: "ServiceAccount", namespace: SYSTEM, name: "cluster-bootstrap-use" },
      ],
    },
  ];
}

function createApply(admin: Client, signal: AbortSignal): (objects: readonly InstallObject[]) => Promise<void> {
  const discovery = createDiscovery({ client: admin, clock: realClock });
  return async (objects) => {
    for (const object of objects) {
      await eventually(`${object.kind} ${object.metadata.name} is accepted`, async () => {
        const type = await discovery.resolve(object.apiVersion, object.kind, signal);
        if (type === undefined) return false;
        await admin.apply(type, object, { fieldManager: "test", force: true }, signal);
        return true;
      });
    }
  };
}

async function runControllers(counter: RequestCounter, settings: ControllerSettings, signal: AbortSignal): Promise<void> {
  const { autoApprove = true, upstreamAgents = false, clock = realClock } = settings;
  await using connection = counter.connection;
  const client = createClient(connection, { component: "controller-manager" });
  const log = testLog();
  const shared = { clock, log, metrics: createMetrics() };
  const informers = {
    ...createRegistrationInformers(client, { systemNamespace: SYSTEM, ...shared }),
    managedClusters: createInformer(client, ManagedCluster, {
      ...shared,
      indexes: { [by.namespace]: ({ metadata }) => [metadata.namespace ?? ""] },
    }),
    bases: createInformer(client, Base, shared),
    descriptions: createInformer(client, Description, shared),
  };
  const events = createEventRecorder({ client, component: "clusternet-controller-manager", clock, log });
  const deps = { client, informers, events, ...shared };
  const options = { systemNamespace: SYSTEM, autoApprove, upstreamAgents, agentTokenLifetimeMs: 24 * 3_600_000 };
  await runManager(
    {
      informers: Object.values(informers),
      controllers: [
        clusterRegistrationController({ ...deps, options }),
        clusterLifecycleController(deps),
        clusterRemovalController(deps),
      ],
      clock,
      log,
    },
    signal,
  );
}

/** `CLUSTERNET_TEST_LOG=1` shows what the parts say. */
export function testLog(): Logger {
  if (process.env["CLUSTERNET_TEST_LOG"] === undefined) return silentLogger;
  const line =
    (level: string) =>
    (event: string, fields: object = {}): void => {
      process.stderr.write(
        `${level} ${event} ${JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? value.message : value))}\n`,
      );
    };
  const log: Logger = { debug: () => undefined, info: line("info"), warn: line("warn"), error: line("error"), with: () => log };
  return log;
}

// --- Children -------------------------------------------------------------------------------------------------------------------------

export interface TestChild {
  readonly clusterId: string;
  readonly onParent: ChildOnParent;
  /** What its agent asks with. */
  readonly token: string;
}

/** A child that a program announced: namespace, bootstrap token and join grant on the parent. */
export async function announceChild(
  parent: RegistrationParent,
  { name, clusterLabels = {} }: { readonly name: string; readonly clusterLabels?: Readonly<Record<string, string>> },
): Promise<TestChild> {
  const tokenId = randomBytes(3).toString("hex");
  const tokenSecret = randomBytes(8).toString("hex");
  const onParent: ChildOnParent = {
    namespace: SYSTEM,
    clusterName: name,
    clusterNamespace: `home-of-${name}`,
    clusterLabels,
    syncMode: "Pull",
    tokenId,
    tokenSecret,
  };
  await parent.apply([childNamespaceObject(onParent), bootstrapTokenObject(onParent), joinGrantObject(onParent)]);
  return { clusterId: randomUUID(), onParent, token: `${tokenId}.${tokenSecret}` };
}

export async function approveByHand(parent: RegistrationParent, name: string, value = "true"): Promise<void> {
  const body = { metadata: { annotations: { [annotations.approved]: value } } };
  await parent.admin.patch(ClusterRegistrationRequest, { name }, { type: "merge", body }, parent.signal);
}

/** As a program does: the grant and the token that could ask again. */
export async function deleteGrant(parent: RegistrationParent, child: TestChild): Promise<void> {
  for (const { kind, metadata } of [bootstrapTokenObject(child.onParent), joinGrantObject(child.onParent)]) {
    const key = { namespace: metadata.namespace ?? "", name: metadata.name };
    await parent.admin.delete(kind === "Secret" ? Secret : ConfigMap, key, {}, parent.signal);
  }
}

async function signExpiredToken(
  { directory, server }: ControlPlane,
  { namespace, name, uid }: { readonly namespace: string; readonly name: string; readonly uid: string },
): Promise<string> {
  const key = createPrivateKey(await readFile(join(directory, "pki", "service-account.key"), "utf8"));
  const now = Math.floor(Date.now() / 1_000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = part({ alg: "RS256", typ: "JWT" });
  const claims = part({
    iss: "https://kubernetes.default.svc.cluster.local",
    aud: ["https://kubernetes.default.svc.cluster.local", server],
    sub: `system:serviceaccount:${namespace}:${name}`,
    "kubernetes.io": { namespace, serviceaccount: { name, uid } },
    iat: now - 90_000,
    nbf: now - 90_000,
    exp: now - 3_600,
  });
  const signature = createSign("RSA-SHA256").update(`${header}.${claims}`).sign(key, "base64url");
  return `${header}.${claims}.${signature}`;
}
