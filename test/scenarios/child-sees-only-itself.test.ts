// The identity of a joined child against a real API server: every verb on every kind, in its own place and in another child's.
//
// The table below is the whole permission of a child. Everything that is not in it is asked for, too, and must be forbidden.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { kinds } from "#api/kinds.ts";
import { registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { serviceAccounts } from "#api/names.ts";
import { ServiceAccount } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startAgent, type TestAgent } from "#test/scenarios/registration-agent.ts";
import {
  announceChild,
  startRegistrationParent,
  SYSTEM,
  type RegistrationParent,
  type TestChild,
} from "#test/scenarios/registration-fixture.ts";

const VERBS = [
  "get",
  "list",
  "watch",
  "create",
  "update",
  "patch",
  "delete",
  "deletecollection",
  "impersonate",
  "bind",
  "escalate",
  "approve",
] as const;

interface Asked {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

let parent: RegistrationParent;
let paris: TestChild;
let oslo: TestChild;
let agents: TestAgent[];
let me: Client;

beforeAll(async () => {
  parent = await startRegistrationParent();
  await parent.runControllers();
  [paris, oslo] = [await announceChild(parent, { name: "paris" }), await announceChild(parent, { name: "oslo" })];
  agents = [
    await startAgent(parent, { child: paris, home: "paris-agent" }),
    await startAgent(parent, { child: oslo, home: "oslo-agent" }),
  ];
  const [identity] = await Promise.all(agents.map(({ joined }) => joined));
  me = parent.clientWith(identity?.token ?? "");
});
afterAll(async () => {
  for (const agent of agents) await agent[Symbol.asyncDispose]();
  await parent[Symbol.asyncDispose]();
});

async function mayI(asked: Asked, verb: string): Promise<boolean> {
  const body = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes: { ...asked, verb } },
  };
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const { json } = await me.request({ method: "POST", path, body }, parent.signal);
  return (json as { readonly status: { readonly allowed: boolean } }).status.allowed;
}

/** Everything it may, as `group/resource[/subresource] place: verbs`. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  "apps.clusternet.io/descriptions own": ["get", "list", "watch"],
  "apps.clusternet.io/helmreleases own": ["get", "list", "watch"],
  "apps.clusternet.io/helmcharts own": ["get", "list", "watch"],
  "apps.clusternet.io/descriptions/status own": ["update", "patch"],
  "apps.clusternet.io/helmreleases/status own": ["update", "patch"],
  "clusters.clusternet.io/managedclusters own named": ["get", "list", "watch"],
  "clusters.clusternet.io/managedclusters/status own named": ["update", "patch"],
  "clusters.clusternet.io/clusterregistrationrequests own named": ["get"],
  "/events own": ["create", "patch"],
  "/serviceaccounts/token own named": ["create"],
  "proxies.clusternet.io/sockets/attach own named": ["get", "create"],
};

/** In an own namespace a rule without a name also holds for named objects, and the other way round it does not. */
function allowedFor(key: string, place: string): readonly string[] {
  return ALLOWED[`${key} ${place}`] ?? (place === "own named" ? (ALLOWED[`${key} own`] ?? []) : []);
}

const CORE = [
  "pods",
  "pods/exec",
  "pods/log",
  "secrets",
  "configmaps",
  "services",
  "serviceaccounts",
  "serviceaccounts/token",
  "events",
  "namespaces",
  "nodes",
  "nodes/proxy",
  "persistentvolumes",
];
const OTHERS: readonly (readonly [string, string])[] = [
  ["apps", "deployments"],
  ["rbac.authorization.k8s.io", "roles"],
  ["rbac.authorization.k8s.io", "rolebindings"],
  ["rbac.authorization.k8s.io", "clusterroles"],
  ["rbac.authorization.k8s.io", "clusterrolebindings"],
  ["coordination.k8s.io", "leases"],
  ["certificates.k8s.io", "certificatesigningrequests"],
  ["admissionregistration.k8s.io", "validatingadmissionpolicies"],
  ["apiextensions.k8s.io", "customresourcedefinitions"],
  ["apiregistration.k8s.io", "apiservices"],
  ["proxies.clusternet.io", "sockets"],
  ["proxies.clusternet.io", "sockets/attach"],
  ["proxies.clusternet.io", "sockets/proxy"],
  ["", "users"],
  ["", "groups"],
];

function everyResource(): readonly (readonly [string, string])[] {
  const ours = kinds.flatMap(({ group, plural }) => [[group, plural] as const, [group, `${plural}/status`] as const]);
  return [...ours, ...CORE.map((resource) => ["", resource] as const), ...OTHERS];
}

const CLUSTER_SCOPED = new Set([
  "clusterregistrationrequests",
  "clusterregistrationrequests/status",
  "namespaces",
  "nodes",
  "nodes/proxy",
  "persistentvolumes",
  "clusterroles",
  "clusterrolebindings",
  "certificatesigningrequests",
  "validatingadmissionpolicies",
  "customresourcedefinitions",
  "apiservices",
  "sockets",
  "sockets/attach",
  "sockets/proxy",
  "users",
  "groups",
]);

function nameIn(child: TestChild, resource: string): string {
  const [plural = ""] = resource.split("/");
  const names: Readonly<Record<string, string>> = {
    managedclusters: child.onParent.clusterName,
    clusterregistrationrequests: registrationRequestName(child.clusterId),
    sockets: child.clusterId,
    serviceaccounts: serviceAccounts.agent,
  };
  return names[plural] ?? "some-name";
}

describe("a child's identity", () => {
  test.each(everyResource())("%s/%s: exactly what the table says, verb by verb and place by place", async (group, resource) => {
    const [plural = "", subresource] = resource.split("/");
    const kind = { group, resource: plural, ...(subresource === undefined ? {} : { subresource }) };
    const key = `${group}/${resource}`;
    const isCluster = CLUSTER_SCOPED.has(resource);
    const at = (namespace: string): object => (isCluster ? {} : { namespace });
    const places: readonly (readonly [place: string, where: object])[] = [
      ["own", at("home-of-paris")],
      ["own named", { ...at("home-of-paris"), name: nameIn(paris, resource) }],
      ["other", { ...at("home-of-oslo"), name: nameIn(oslo, resource) }],
      [
        "other name in own",
        { ...at("home-of-paris"), name: nameIn(oslo, resource) === nameIn(paris, resource) ? "default" : nameIn(oslo, resource) },
      ],
      ["everywhere", {}],
      ["system", { ...at(SYSTEM), name: "clusternet-controller-manager" }],
      ["kube-system", { ...at("kube-system"), name: "default" }],
    ];
    const seen: Record<string, readonly string[]> = {};
    const wanted: Record<string, readonly string[]> = {};
    for (const [place, where] of places) {
      const verdicts = await Promise.all(VERBS.map(async (verb) => ({ verb, allowed: await mayI({ ...kind, ...where }, verb) })));
      seen[place] = verdicts.filter(({ allowed }) => allowed).map(({ verb }) => verb);
      // What is granted for a whole own namespace holds for every name in it.
      const isOwnNamespace = !isCluster && place === "other name in own";
      wanted[place] = place.startsWith("own") ? allowedFor(key, place) : isOwnNamespace ? (ALLOWED[`${key} own`] ?? []) : [];
    }
    expect(seen).toEqual(wanted);
  });

  test("is really stopped, not only reviewed", async () => {
    const get = (path: string): Promise<unknown> => me.request({ method: "GET", path }, parent.signal);
    await expect(get("/api/v1/namespaces/home-of-oslo/secrets")).rejects.toThrow(/forbidden/);
    await expect(get("/api/v1/secrets")).rejects.toThrow(/forbidden/);
    await expect(
      get(`/apis/clusters.clusternet.io/v1beta1/clusterregistrationrequests/${registrationRequestName(oslo.clusterId)}`),
    ).rejects.toThrow(/forbidden/);
    await expect(
      me.createToken({ namespace: "home-of-oslo", name: serviceAccounts.agent }, { expirationSeconds: 600 }, parent.signal),
    ).rejects.toThrow(/forbidden/);
    await eventually("the account is there", () =>
      parent.admin.get(ServiceAccount, { namespace: "home-of-paris", name: "default" }, parent.signal),
    );
    await expect(
      me.createToken({ namespace: "home-of-paris", name: "default" }, { expirationSeconds: 600 }, parent.signal),
    ).rejects.toThrow(/forbidden/);
    const key = { namespace: "home-of-paris", name: "paris" };
    await expect(me.patch(ManagedCluster, key, { type: "merge", body: { spec: { taints: [] } } }, parent.signal)).rejects.toThrow(
      /forbidden/,
    );
    await expect(
      me.patch(ManagedCluster, key, { type: "merge", body: { metadata: { labels: { env: "prod" } } } }, parent.signal),
    ).rejects.toThrow(/forbidden/);
    expect(await me.get(ManagedCluster, key, parent.signal)).toBeDefined();
    await expect(me.get(ManagedCluster, { namespace: "home-of-oslo", name: "oslo" }, parent.signal)).rejects.toThrow(/forbidden/);
  });

  test("cannot smuggle labels or a new spec through a status patch", async () => {
    const key = { namespace: "home-of-paris", name: "paris" };
    const body = { metadata: { labels: { forged: "yes" } }, spec: { syncMode: "Push" }, status: { agentVersion: "forged" } };
    await me.patch(ManagedCluster, key, { type: "merge", subresource: "status", body }, parent.signal);
    const after = await parent.cluster(paris.onParent);
    expect(after?.spec.syncMode).toBe("Pull");
    expect(after?.metadata.labels).not.toHaveProperty("forged");
  });
});

test("a bootstrap token may ask and read requests, nothing else", async () => {
  const bootstrap = parent.clientWith(oslo.token);
  for (const path of [
    "/api/v1/secrets",
    "/api/v1/namespaces",
    "/apis/clusters.clusternet.io/v1beta1/clusterregistrationrequests",
    "/apis/clusters.clusternet.io/v1beta1/managedclusters",
    "/api/v1/namespaces/clusternet-system/configmaps",
  ]) {
    await expect(bootstrap.request({ method: "GET", path }, parent.signal)).rejects.toThrow(/forbidden/);
  }
});
