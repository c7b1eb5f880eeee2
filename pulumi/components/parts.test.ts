// The parts that components are made of: kubeconfigs, kinds, templates, the stack's configuration.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { serverOf } from "#pulumi/components/cluster.ts";
import { ClusternetFleet } from "#pulumi/components/clusternet-fleet.ts";
import { Crds } from "#pulumi/components/crds.ts";
import { Subscription, type SubscriptionArgs } from "#pulumi/components/kinds.ts";
import { templateManifest, templateObjects } from "#pulumi/components/templates.ts";
import { fleetFromConfig } from "#pulumi/config.ts";
import { recordResources } from "#test/framework/recorded-resources.ts";

const kubeconfig = (cluster: object, more: object = {}): string =>
  JSON.stringify({
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
    clusters: [{ name: "k", cluster }],
    ...more,
  });
const server = "https://parent.example:6443";

describe("The server of a kubeconfig", () => {
  test("is that of its current context, or of the one that was asked for", () => {
    const data = Buffer.from("PEM").toString("base64");
    expect(serverOf(kubeconfig({ server, "certificate-authority-data": data }))).toEqual({ url: server, caPem: "PEM" });
    expect(serverOf(kubeconfig({ server }))).toEqual({ url: server, caPem: undefined });
    expect(() => serverOf(kubeconfig({ server }), "other")).toThrow(/no cluster for its context "other"/);
  });

  test.each([
    ["names a file", kubeconfig({ server, "certificate-authority": "/ca" }), /kubectl config view --raw --flatten/],
    ["has no clusters", "contexts: []", /clusters: /],
    ["is no YAML", "private: [key", /kubeconfig cannot be used/],
  ])("is refused when it %s, without quoting it", (_what, text, says) => {
    expect(() => serverOf(text)).toThrow(says);
    expect(() => serverOf(text)).not.toThrow(/private/);
  });
});

describe("Kinds", () => {
  const spec = { subscribers: [{ clusterAffinity: {} }], feeds: [{ apiVersion: "v1", kind: "ConfigMap", name: "x" }] };
  const made = async (args: SubscriptionArgs): Promise<Awaited<ReturnType<typeof recordResources>>> =>
    recordResources(() => new Subscription("web", args, { provider: new k8s.Provider("p", { kubeconfig: "x" }) }));

  test("carry their apiVersion and kind, and what is waited for beside other annotations", async () => {
    const metadata = { name: "web", annotations: { team: "a" } };
    const resources = await made({ metadata, spec, waitFor: ["condition=Available", "condition=Delivered"] });
    expect(resources.find(({ name }) => name === "web")?.inputs).toMatchObject({
      apiVersion: "apps.clusternet.io/v1alpha1",
      kind: "Subscription",
      metadata: { annotations: { team: "a", "pulumi.com/waitFor": '["condition=Available","condition=Delivered"]' } },
      spec,
    });
  });

  test("name the path of what is wrong", async () => {
    await expect(made({ metadata: { name: "web" }, spec: { ...spec, feeds: [{ kind: "ConfigMap" }] } as never })).rejects.toThrow(
      /Subscription web.*spec\.feeds\[0\]\.apiVersion/s,
    );
  });

  test("leave fields that are not known yet to the API server", async () => {
    const later = pulumi.output(new Promise<string>((resolve) => resolve("x")));
    const feeds = [{ apiVersion: "v1", kind: "ConfigMap", name: later }];
    const resources = await made({ metadata: { name: "web" }, spec: { ...spec, feeds } });
    expect(resources.map(({ name }) => name)).toContain("web");
  });
});

describe("Templates", () => {
  const options = { reservedNamespace: "r", allowSubscriptionsFrom: [] };

  test("are objects, or YAML of one or more", () => {
    const text =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n---\n---\napiVersion: v1\nkind: Secret\nmetadata: { name: b }\n";
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } };
    expect(templateObjects([text, object]).map(({ metadata }) => metadata.name)).toEqual(["a", "b", "c"]);
  });

  test("that are Secrets stay secret, and others do not become one", async () => {
    const isSecret = (kind: string): Promise<boolean> => {
      const { template } = templateManifest({ apiVersion: "v1", kind, metadata: { name: "x" } }, options) as {
        template?: unknown;
      };
      return pulumi.isSecret(pulumi.output(template));
    };
    expect(await isSecret("Secret")).toBe(true);
    expect(await isSecret("ConfigMap")).toBe(false);
  });
});

describe("Crds", () => {
  const made = (onDestroy: "keep" | "delete"): ReturnType<typeof recordResources> =>
    recordResources(() => new Crds("crds", { onDestroy }, { providers: [new k8s.Provider("p", { kubeconfig: "x" })] }));

  test("are applied over what exists, and never deleted one by one", async () => {
    const definitions = (await made("keep")).filter(({ type }) => type.endsWith(":CustomResourceDefinitionPatch"));
    expect(definitions).toHaveLength(11);
    for (const { inputs, retainOnDelete } of definitions) {
      expect(retainOnDelete).toBe(true);
      expect(inputs["metadata"]).toMatchObject({ annotations: { "pulumi.com/patchForce": "true" } });
      expect(inputs["metadata"]).not.toHaveProperty("ownerReferences");
    }
  });

  test("that go on destroy have an owner, which is not kept", async () => {
    const resources = await made("delete");
    const owner = resources.find(({ type }) => type.endsWith(":ClusterRole"));
    expect(owner?.retainOnDelete).toBe(false);
    for (const { inputs, dependsOn } of resources.filter(({ type }) => type.endsWith("Patch"))) {
      expect(inputs["metadata"]).toMatchObject({
        ownerReferences: [{ name: "clusternet:definitions", blockOwnerDeletion: true }],
      });
      expect(dependsOn).toContain(owner?.urn);
    }
  });
});

describe("The stack's configuration", () => {
  let directory: string;
  let path: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "clusternet-config-"));
    path = join(directory, "kubeconfig");
    await writeFile(path, kubeconfig({ server }));
  });
  afterAll(() => rm(directory, { recursive: true }));
  const configured = (values: Readonly<Record<string, unknown>>): ReturnType<typeof fleetFromConfig> => {
    const entries = Object.entries(values).map(([key, value]) => [
      `clusternet:${key}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    pulumi.runtime.setAllConfig(Object.fromEntries(entries) as Record<string, string>, ["clusternet:bootstrapSecret"]);
    return fleetFromConfig(new pulumi.Config("clusternet"));
  };
  const bootstrapSecret = "0123456789abcdef";

  test("becomes the arguments of a fleet", () => {
    const args = configured({
      bootstrapSecret,
      parent: { kubeconfig: path },
      children: [{ name: "oslo", kubeconfig: path, labels: { stage: "demo" } }],
      hubServicePort: 8443,
      crdsOnDestroy: "delete",
    });
    expect(args).toMatchObject({
      parent: { kubeconfig: kubeconfig({ server }) },
      children: [{ name: "oslo", kubeconfig: kubeconfig({ server }), labels: { stage: "demo" } }],
      hubServicePort: 8443,
      crdsOnDestroy: "delete",
    });
    expect(pulumi.Output.isInstance(args.bootstrapSecret)).toBe(true);
  });

  test.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ["has no parent", { bootstrapSecret }, /parent: /],
    [
      "has a mode that does not exist",
      { parent: { kubeconfig: "k" }, children: [{ name: "a", kubeconfig: "k", syncMode: "Both" }] },
      /children\[0\]\.syncMode/,
    ],
    ["has a word for a number", { parent: { kubeconfig: "k" }, hubServicePort: "many" }, /hubServicePort: /],
    [
      "misspells a setting of a child",
      { parent: { kubeconfig: "k" }, children: [{ name: "a", kubconfig: "k" }] },
      /children\[0\].*kubconfig/s,
    ],
    [
      "names a file that is not there",
      { bootstrapSecret, parent: { kubeconfig: "/no/such/file" } },
      /parent\.kubeconfig: .*\/no\/such\/file/,
    ],
  ])("that %s is refused with its path", (_what, values, says) => {
    expect(() => configured(values)).toThrow(says);
  });
});

test("a preview with kubeconfigs that are not known until another resource exists plans the whole fleet", async () => {
  const resources = await recordResources(
    () => {
      const cluster = new k8s.core.v1.ConfigMap("cluster", {}, { provider: new k8s.Provider("p", { kubeconfig: "x" }) });
      const later = cluster.metadata.uid;
      return new ClusternetFleet("f", {
        parent: { kubeconfig: later },
        children: [{ name: "oslo", kubeconfig: later }],
        bootstrapSecret: "0123456789abcdef",
        clusterApi: true,
        crdsOnDestroy: "delete",
      });
    },
    { preview: true },
  );
  const names = resources.map(({ name }) => name);
  expect(names).toContain("f-oslo-agent-deployment-clusternet-system-clusternet-agent");
  expect(names).toContain("f-cluster-api-configmap-clusternet-system-clusternet-cluster-api-integration");
});

test("two templates that would be stored under one name are refused", async () => {
  const template = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x", namespace: "a" } };
  await expect(
    recordResources(
      () =>
        new ClusternetFleet("f", {
          parent: { kubeconfig: kubeconfig({ server }) },
          children: [],
          bootstrapSecret: "0123456789abcdef",
          templates: [template, template],
        }),
    ),
  ).rejects.toThrow(/templates: Two of them would be stored as configmaps\.a\.x/);
});
