// The whole fleet as Pulumi sees it: which resources, on which cluster, in which order, with what kept secret; and what is refused.

import { beforeAll, describe, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import type { ClusternetFleetArgs } from "#pulumi/components/clusternet-fleet.ts";
import { recordResources, type Recorded } from "#test/framework/recorded-resources.ts";

/** Pulumi's modules are loaded by the first test that needs them. */
const FIRST_IMPORT_MS_MAX = 30_000;

/** Nobody listens there: a preview that asks hears so at once. */
const ports: Readonly<Record<string, number>> = { parent: 1, paris: 2, oslo: 3, later: 4 };

const kubeconfig = (name: string): string =>
  JSON.stringify({
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
    clusters: [
      {
        name: "k",
        cluster: {
          server: `https://127.0.0.1:${String(ports[name])}`,
          "certificate-authority-data": Buffer.from(`CA of ${name}`).toString("base64"),
        },
      },
    ],
  });

const configMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "shop", namespace: "default" },
  data: { greeting: "Hello" },
};

const anArgs = (more: Partial<ClusternetFleetArgs> = {}): ClusternetFleetArgs => ({
  parent: { kubeconfig: kubeconfig("parent") },
  children: [
    { name: "paris", kubeconfig: kubeconfig("paris"), labels: { stage: "demo" } },
    { name: "oslo", kubeconfig: kubeconfig("oslo") },
  ],
  bootstrapSecret: pulumi.secret("0123456789abcdef-root"),
  templates: [configMap],
  subscriptions: [
    {
      name: "shop",
      spec: {
        subscribers: [{ clusterAffinity: { matchLabels: { stage: "demo" } } }],
        feeds: [{ apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "shop" }],
      },
      waitFor: ["condition=Available"],
    },
  ],
  localizations: [
    {
      name: "greeting",
      child: "oslo",
      spec: {
        feed: { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "shop" },
        overrides: [{ name: "x", type: "MergePatch", value: "data: { greeting: Hei }" }],
      },
    },
  ],
  ...more,
});

const fleetOf = async (args: ClusternetFleetArgs): Promise<Recorded[]> => {
  const { ClusternetFleet } = await import("./clusternet-fleet.ts");
  return recordResources(() => new ClusternetFleet("f", args));
};

describe("a fleet of two children", () => {
  let resources: Recorded[];
  const named = (name: string): Recorded => {
    const found = resources.find((resource) => resource.name === name);
    if (found === undefined) throw new Error(`No ${name} among:\n${resources.map((resource) => resource.name).join("\n")}`);
    return found;
  };
  beforeAll(async () => {
    resources = await fleetOf(anArgs());
  }, FIRST_IMPORT_MS_MAX);

  test("has a component for everything, with tokens that carry no version", () => {
    const components = resources.filter(({ type }) => type.startsWith("clusternet:")).map(({ type, name }) => `${type} ${name}`);
    expect(components.sort()).toEqual([
      "clusternet:index:Agent f-oslo-agent",
      "clusternet:index:Agent f-paris-agent",
      "clusternet:index:ChildCluster f-oslo",
      "clusternet:index:ChildCluster f-paris",
      "clusternet:index:ClusternetFleet f",
      "clusternet:index:ControlPlane f-control-plane",
      "clusternet:index:ControllerManager f-control-plane-controller-manager",
      "clusternet:index:Crds f-control-plane-crds",
      "clusternet:index:Hub f-control-plane-hub",
      "clusternet:index:Scheduler f-control-plane-scheduler",
    ]);
  });

  test("gives every cluster a provider that keeps its identity, and every object an explicit one", () => {
    const providers = resources.filter(({ type }) => type === "pulumi:providers:kubernetes");
    expect(providers.map(({ name, inputs }) => [name, inputs["clusterIdentifier"]]).sort()).toEqual([
      ["f-oslo-child", "f-oslo-child"],
      ["f-parent", "f-parent"],
      ["f-paris-child", "f-paris-child"],
    ]);
    const withoutProvider = resources.filter(({ type, provider }) => type.startsWith("kubernetes:") && provider === "");
    expect(withoutProvider.map(({ name }) => name)).toEqual([]);
    expect(named("f-oslo-agent-deployment-clusternet-system-clusternet-agent").provider).toContain("f-oslo-child");
    expect(named("f-control-plane-hub-deployment-clusternet-system-clusternet-hub").provider).toContain("f-parent");
    expect(named("f-oslo-configmap-clusternet-system-clusternet-join-oslo").provider).toContain("f-parent");
  });

  test("names and types are unique, so that no two resources share a URN", () => {
    const urns = resources.map(({ urn }) => urn);
    expect(urns.length).toBe(new Set(urns).size);
  });

  test("is removed in the order that leaves nothing behind", () => {
    const goesBefore = (first: string, second: string): boolean => named(first).dependsOnAll.has(named(second).urn);
    const order = [
      ["f-shop", "f-oslo-greeting"],
      ["f-shop", "f-configmaps.default.shop"],
      ["f-oslo-greeting", "f-configmaps.default.shop"],
      ["f-configmaps.default.shop", "f-oslo-configmap-clusternet-system-clusternet-join-oslo"],
      ["f-oslo-configmap-clusternet-system-clusternet-join-oslo", "f-oslo-agent-deployment-clusternet-system-clusternet-agent"],
      [
        "f-oslo-agent-deployment-clusternet-system-clusternet-agent",
        "f-control-plane-controller-manager-deployment-clusternet-system-clusternet-controller-manager",
      ],
      [
        "f-oslo-agent-deployment-clusternet-system-clusternet-agent",
        "f-control-plane-hub-apiservice-v1alpha1.proxies.clusternet.io",
      ],
      [
        "f-control-plane-hub-apiservice-v1alpha1.proxies.clusternet.io",
        "f-control-plane-hub-deployment-clusternet-system-clusternet-hub",
      ],
      ["f-control-plane-hub-deployment-clusternet-system-clusternet-hub", "f-control-plane-namespace-clusternet-system"],
      [
        "f-control-plane-controller-manager-deployment-clusternet-system-clusternet-controller-manager",
        "f-control-plane-crds-customresourcedefinition-subscriptions.apps.clusternet.io",
      ],
    ] as const;
    expect(order.filter(([first, second]) => !goesBefore(first, second))).toEqual([]);
  });

  test("keeps tokens secret wherever they are", () => {
    expect(named("f-oslo-secret-kube-system-bootstrap-token-" + tokenId(resources, "oslo")).secretInputs).toContain("stringData");
    expect(named("f-oslo-agent-secret-clusternet-system-clusternet-agent-cluster-registration").secretInputs).toContain(
      "stringData",
    );
    const text = JSON.stringify(resources.map(({ plainInputs }) => plainInputs));
    expect(text).not.toContain("0123456789abcdef-root");
    expect(text).not.toMatch(/"token-secret":"[a-z0-9]{16}"/);
  });

  test("tells the agent where the parent is, from the parent's kubeconfig", () => {
    const secret = named("f-oslo-agent-secret-clusternet-system-clusternet-agent-cluster-registration").inputs[
      "stringData"
    ] as Record<string, string>;
    expect(secret["parentURL"]).toBe("https://127.0.0.1:1");
    expect(secret["ca.crt"]).toBe("CA of parent");
    expect(secret["regToken"]).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
  });

  test("waits for what it was told to wait for", () => {
    expect(named("f-shop").inputs["metadata"]).toMatchObject({
      annotations: { "pulumi.com/waitFor": '["condition=Available"]' },
    });
  });

  test("keeps the definitions on destroy unless told otherwise", async () => {
    const owner = "f-control-plane-crds-clusterrole-clusternet-definitions";
    expect(resources.map(({ name }) => name)).not.toContain(owner);
    const other = await fleetOf(anArgs({ crdsOnDestroy: "delete" }));
    expect(other.find(({ name }) => name === owner)?.retainOnDelete).toBe(false);
  });
});

describe("a fleet explains a value of its own", () => {
  const greeting = { kind: "ConfigMap", name: "shop", namespace: "default" };
  const ask = async (question: { readonly child: string; readonly template: typeof greeting }): Promise<unknown> => {
    const { ClusternetFleet } = await import("./clusternet-fleet.ts");
    let found: unknown;
    await recordResources(
      () =>
        new ClusternetFleet("f", anArgs()).explainValue({ ...question, path: "/data/greeting" }).apply((each) => (found = each)),
      { preview: true },
    );
    return found;
  };

  test("with what is said for all and for one child, in a preview", async () => {
    expect(await ask({ child: "oslo", template: greeting })).toMatchObject({ value: "Hei", template: "Hello" });
    expect(await ask({ child: "paris", template: greeting })).toMatchObject({ value: "Hello", template: "Hello" });
  });

  test("and names what it has when it is asked for something else", async () => {
    const { ClusternetFleet } = await import("./clusternet-fleet.ts");
    await recordResources(() => {
      const fleet = new ClusternetFleet("f", anArgs());
      expect(() => fleet.explainValue({ child: "rome", template: greeting })).toThrow(
        /no child "rome": it must be one of paris, oslo/,
      );
      expect(() => fleet.explainValue({ child: "oslo", template: { ...greeting, name: "x" } })).toThrow(
        /no template "ConfigMap default\/x": it must be one of ConfigMap default\/shop/,
      );
    });
  });
});

test("a fleet keeps credentials of chart repositories where they are used, before anything is delivered", async () => {
  const secret = { name: "registry", namespace: "charts", username: "robot", password: "correct horse" };
  const resources = await fleetOf(anArgs({ chartPullSecrets: [secret], namespace: "system" }));
  const binding = resources.find(({ type, name }) => type.endsWith(":RoleBinding") && name.startsWith("f-registry"));
  expect(binding?.inputs["subjects"]).toEqual([
    { kind: "ServiceAccount", name: "clusternet-controller-manager", namespace: "system" },
  ]);
  expect(binding?.provider).toContain("f-parent");
  expect(resources.find(({ name }) => name === "f-shop")?.dependsOnAll.has(binding?.urn ?? "")).toBe(true);
  expect(JSON.stringify(resources.map(({ plainInputs }) => plainInputs))).not.toContain(secret.password);
  await expect(fleetOf(anArgs({ chartPullSecrets: [{ name: "x", namespace: "charts", username: "robot" }] }))).rejects.toThrow(
    /chartPullSecrets\[0\]: Give username and password together/,
  );
});

describe("a fleet is refused", () => {
  const cases: readonly { readonly when: string; readonly args: Partial<ClusternetFleetArgs>; readonly says: RegExp }[] = [
    {
      when: "two children have one name",
      args: {
        children: [
          { name: "a", kubeconfig: "x" },
          { name: "a", kubeconfig: "y" },
        ],
      },
      says: /children\[1\]\.name: a is the name of another child/,
    },
    {
      when: "a child has no cluster",
      args: { children: [{ name: "a" }] },
      says: /children\[0\]: Give exactly one of provider and kubeconfig/,
    },
    { when: "the parent has no cluster", args: { parent: {} }, says: /parent: Give exactly one of provider and kubeconfig/ },
    {
      when: "a Localization is for nobody",
      args: { localizations: [{ name: "x", child: "rome", spec: {} as never }] },
      says: /localizations\[0\]\.child: There is no child "rome": it must be one of paris, oslo/,
    },
    {
      when: "the bootstrap secret is short",
      args: { bootstrapSecret: "short" },
      says: /bootstrapSecret: Must have at least 16 characters/,
    },
    { when: "a template is not YAML", args: { templates: ["a: ["] }, says: /templates\[0\]/ },
    {
      when: "a template has no kind",
      args: { templates: ["apiVersion: v1\nmetadata: { name: x }"] },
      says: /templates\[0\].*kind/s,
    },
    { when: "an argument is unknown", args: { childs: [] } as never, says: /childs/ },
    {
      when: "a child may join for a time that is none",
      args: { children: [{ name: "a", kubeconfig: "x", validFor: "soon" }] },
      says: /children\[0\]\.validFor: Must be a duration such as 30m or 24h/,
    },
    { when: "a port cannot be", args: { hubServicePort: 70_000 }, says: /hubServicePort: .*65535/ },
  ];
  test.each(cases)("when $when", async ({ args, says }) => {
    await expect(fleetOf(anArgs(args))).rejects.toThrow(says);
  });
});

test("a component without an explicit provider is refused: the ambient cluster is never used", async () => {
  const { Hub } = await import("./hub.ts");
  await expect(recordResources(() => new Hub("h", {}, {}))).rejects.toThrow(/explicit kubernetes provider/);
});

test(
  "a preview works while the clusters do not exist yet",
  async () => {
    const { ClusternetFleet } = await import("./clusternet-fleet.ts");
    const unknown = pulumi.output(new Promise<string>((resolve) => resolve(kubeconfig("later"))));
    const resources = await recordResources(
      () =>
        new ClusternetFleet(
          "f",
          anArgs({ parent: { kubeconfig: unknown }, children: [{ name: "paris", kubeconfig: unknown }], localizations: [] }),
        ),
      { preview: true },
    );
    expect(resources.some(({ name }) => name === "f-shop")).toBe(true);
  },
  FIRST_IMPORT_MS_MAX,
);

function tokenId(resources: readonly Recorded[], child: string): string {
  const prefix = `f-${child}-secret-kube-system-bootstrap-token-`;
  return resources.find(({ name }) => name.startsWith(prefix))?.name.slice(prefix.length) ?? "?";
}
