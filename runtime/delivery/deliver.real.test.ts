// What a real API server answers when something is in the way of a delivery becomes a reason that a person understands.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import type { KubeObject, ResourceType } from "#api/meta.ts";
import {
  ConfigMap,
  Deployment,
  Namespace,
  Role,
  RoleBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connectKubeconfig } from "#kube/connection.ts";
import { createDiscovery } from "#kube/discovery.ts";
import { realClock } from "#std/clock.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createTestNamespace } from "#test/framework/namespaces.ts";
import { sharedControlPlane } from "#test/framework/shared-control-plane.ts";
import { deliver } from "./deliver.ts";
import type { Delivery } from "./description-status.ts";

const { signal } = new AbortController();
const stack = new AsyncDisposableStack();
let admin: Client;
let deployer: Client;
let namespace: string;

beforeAll(async () => {
  const controlPlane = await sharedControlPlane();
  namespace = await createTestNamespace(controlPlane, "deliver");
  const connected = async (path: string): Promise<Client> =>
    createClient(stack.use(await connectKubeconfig({ path })), { component: "test" });
  admin = await connected(controlPlane.adminKubeconfig);
  deployer = await connected(await controlPlane.kubeconfigFor({ user: "deployer" }));
  await make(Role, {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { namespace, name: "deployer" },
    rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["*"] }],
  });
  await make(RoleBinding, {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { namespace, name: "deployer" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "deployer" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "deployer" }],
  });
});
afterAll(async () => {
  await stack.disposeAsync();
});

const make = <T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> =>
  admin.apply(type, object, { fieldManager: "test", force: true }, signal);
const configMap = (name: string, rest: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace, name },
  ...rest,
});

function deliverTo(child: Client, objects: readonly KubeObject[], delivery: DeliveryPolicy = {}): Promise<Delivery> {
  const raw = objects.map((object) => Buffer.from(JSON.stringify(object)).toString("base64"));
  const description: Description = {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Description",
    metadata: { namespace: "paris", name: "web.shop-generic" },
    spec: { deployer: "Generic", raw, delivery },
  };
  const discovery = createDiscovery({ client: child, clock: realClock });
  const recordInventory = (): Promise<void> => Promise.resolve();
  const alone = { siblings: [], askParts: () => Promise.resolve([]) };
  return deliver(
    { child, discovery, description, ...alone, ownerExists: () => false, clock: realClock, recordInventory },
    signal,
  );
}

const reasonOf = async (child: Client, object: KubeObject): Promise<string> => {
  const { problems } = await deliverTo(child, [object]);
  expect(problems).toHaveLength(1);
  return `${problems[0]!.reason}: ${problems[0]!.message}`;
};

test("a kind that is not there, and one that may not be used", async () => {
  const widget = { apiVersion: "example.com/v1", kind: "Widget", metadata: { namespace, name: "w" } };
  expect(await reasonOf(deployer, widget)).toBe("UnknownKind: the cluster does not know example.com/v1 Widget");
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { namespace, name: "s" } };
  expect(await reasonOf(deployer, secret)).toMatch(/^Forbidden: .*User "deployer" cannot patch resource "secrets"/);
});

test("an object that is not valid, and one of a namespace that is not there", async () => {
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { namespace, name: "d" }, spec: { replicas: -1 } };
  expect(await reasonOf(admin, deployment)).toMatch(/^Invalid: .*spec\.replicas/);
  const elsewhere = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "nowhere", name: "c" } };
  expect(await reasonOf(admin, elsewhere)).toMatch(/^NamespaceMissing: .*namespaces "nowhere" not found/);
});

test("a namespace that is being deleted", async () => {
  const controlPlane = await sharedControlPlane();
  const dying = await createTestNamespace(controlPlane, "dying");
  const held = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: dying, name: "held", finalizers: ["example.com/hold"] },
  };
  await make(ConfigMap, held);
  await admin.delete(Namespace, { name: dying }, {}, signal);
  const late = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: dying, name: "late" } };
  expect(await reasonOf(admin, late)).toMatch(/^NamespaceTerminating: .*is being terminated/);
  const body = { metadata: { finalizers: null } };
  await admin.patch(ConfigMap, { namespace: dying, name: "held" }, { type: "merge", body }, signal);
});

test("a quota that is used up", async () => {
  const ResourceQuota: ResourceType = {
    group: "",
    version: "v1",
    kind: "ResourceQuota",
    plural: "resourcequotas",
    scope: "Namespaced",
  };
  const hard = { "count/secrets": "0" };
  const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { namespace, name: "small" }, spec: { hard } };
  await make(ResourceQuota, quota);
  let tries = 0;
  await eventually("the quota counts", async () => {
    // A new one each time: what was made before the quota counted is there, and is not refused any more.
    tries += 1;
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { namespace, name: `s-${String(tries)}` } };
    return /^QuotaExceeded: .*exceeded quota: small/.test(await reasonOf(admin, secret));
  });
});

test("a policy that refuses, and a webhook that does not answer", async () => {
  const matchConstraints = {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] }],
  };
  const name = `${namespace}.example.com`;
  await make(ValidatingAdmissionPolicy, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: { matchConstraints, validations: [{ expression: "object.metadata.name != 'refused'", message: "not that name" }] },
  });
  await make(ValidatingAdmissionPolicyBinding, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, validationActions: ["Deny"] },
  });
  stack.defer(async () => {
    await admin.delete(ValidatingAdmissionPolicyBinding, { name }, {}, signal);
    await admin.delete(ValidatingAdmissionPolicy, { name }, {}, signal);
  });
  await eventually("the policy refuses", async () => {
    const { problems } = await deliverTo(admin, [configMap("refused")]);
    expect(problems[0]).toMatchObject({
      reason: "RefusedByAdmission",
      message: expect.stringContaining("not that name") as unknown,
    });
    return true;
  });

  const Webhook: ResourceType = {
    group: "admissionregistration.k8s.io",
    version: "v1",
    kind: "ValidatingWebhookConfiguration",
    plural: "validatingwebhookconfigurations",
    scope: "Cluster",
  };
  const { namespaceSelector } = matchConstraints;
  const rules = [{ apiGroups: ["apps"], apiVersions: ["v1"], operations: ["*"], resources: ["deployments"] }];
  const clientConfig = { url: "https://127.0.0.1:1/never" };
  const webhook = {
    name,
    namespaceSelector,
    rules,
    clientConfig,
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    timeoutSeconds: 1,
  };
  const configuration = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: Webhook.kind,
    metadata: { name },
    webhooks: [webhook],
  };
  await make(Webhook, configuration);
  stack.defer(async () => {
    await admin.delete(Webhook, { name }, {}, signal);
  });
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace, name: "d" },
    spec: { selector: { matchLabels: { a: "b" } }, template },
  };
  await eventually("the webhook is asked", async () => {
    const { problems } = await deliverTo(admin, [deployment]);
    await admin.delete(Deployment, { namespace, name: "d" }, {}, signal).catch(() => undefined);
    return problems[0]?.reason === "WebhookUnavailable";
  });
});
