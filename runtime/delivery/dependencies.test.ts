// What pods need to start, wherever a workload may name it.

import { describe, expect, test } from "@jest/globals";
import { dependenciesOf } from "./dependencies.ts";
import { feedText } from "./feeds.ts";
import type { JsonObject } from "./json.ts";

const metadata = { namespace: "shop", name: "web" };
const of = (object: JsonObject): readonly string[] => dependenciesOf(object).map(feedText);
const pod = (spec: JsonObject): JsonObject => ({ apiVersion: "v1", kind: "Pod", metadata, spec });
const container = (content: JsonObject): JsonObject => pod({ containers: [{ name: "c", ...content }] });
const volume = (source: JsonObject): JsonObject => pod({ volumes: [{ name: "v", ...source }] });

describe("dependenciesOf", () => {
  const spec = { containers: [{ envFrom: [{ configMapRef: { name: "settings" } }] }] };
  test.each([
    ["apps/v1", "Deployment", { template: { spec } }],
    ["apps/v1", "StatefulSet", { template: { spec } }],
    ["apps/v1", "DaemonSet", { template: { spec } }],
    ["apps/v1", "ReplicaSet", { template: { spec } }],
    ["batch/v1", "Job", { template: { spec } }],
    ["batch/v1", "CronJob", { jobTemplate: { spec: { template: { spec } } } }],
    ["v1", "Pod", spec],
  ])("looks into %s %s", (apiVersion, kind, content) => {
    expect(of({ apiVersion, kind, metadata, spec: content })).toEqual(["ConfigMap shop/settings"]);
  });

  test.each<[string, JsonObject, readonly string[]]>([
    [
      "envFrom",
      container({ envFrom: [{ configMapRef: { name: "a" } }, { secretRef: { name: "b" } }] }),
      ["ConfigMap a", "Secret b"],
    ],
    [
      "valueFrom",
      container({
        env: [
          { name: "A", valueFrom: { configMapKeyRef: { name: "a", key: "k" } } },
          { name: "B", valueFrom: { secretKeyRef: { name: "b", key: "k" } } },
          { name: "C", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "D", value: "plain" },
        ],
      }),
      ["ConfigMap a", "Secret b"],
    ],
    ["init containers", pod({ initContainers: [{ envFrom: [{ secretRef: { name: "b" } }] }] }), ["Secret b"]],
    ["volumes", volume({ configMap: { name: "a" } }), ["ConfigMap a"]],
    ["secret volumes", volume({ secret: { secretName: "b" } }), ["Secret b"]],
    ["claims", volume({ persistentVolumeClaim: { claimName: "data" } }), ["PersistentVolumeClaim data"]],
    [
      "projected volumes",
      volume({
        projected: { sources: [{ configMap: { name: "a" } }, { secret: { name: "b" } }, { serviceAccountToken: { path: "t" } }] },
      }),
      ["ConfigMap a", "Secret b"],
    ],
    ["storage drivers", volume({ csi: { driver: "d", nodePublishSecretRef: { name: "b" } } }), ["Secret b"]],
    ["the account", pod({ serviceAccountName: "runner", serviceAccount: "runner" }), ["ServiceAccount runner"]],
    ["pull secrets", pod({ imagePullSecrets: [{ name: "b" }] }), ["Secret b"]],
    [
      "pull secrets of an account",
      { apiVersion: "v1", kind: "ServiceAccount", metadata, imagePullSecrets: [{ name: "b" }], secrets: [{ name: "own" }] },
      ["Secret b"],
    ],
  ])("finds %s", (_where, object, expected) => {
    expect(dependenciesOf(object).map(({ kind, name }) => `${kind} ${name}`)).toEqual(expected);
  });

  test("each once, and not what is optional or everywhere", () => {
    const object = pod({
      serviceAccountName: "default",
      containers: [
        { envFrom: [{ configMapRef: { name: "a" } }, { configMapRef: { name: "maybe", optional: true } }] },
        { env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "a", key: "k" } } }] },
      ],
      volumes: [{ configMap: { name: "kube-root-ca.crt" } }, { secret: { secretName: "maybe", optional: true } }],
    });
    expect(of(object)).toEqual(["ConfigMap shop/a"]);
  });

  test("nothing of other kinds, of an object without a namespace, or of what is no object at all", () => {
    expect(of({ apiVersion: "example.com/v1", kind: "Deployment", metadata, spec: { template: { spec } } })).toEqual([]);
    expect(of({ apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec })).toEqual([]);
    expect(of(pod({ containers: "none", volumes: [null, 1], imagePullSecrets: [{}] }))).toEqual([]);
    expect(of({ apiVersion: "apps/v1", kind: "Deployment", metadata, spec: null })).toEqual([]);
  });
});
