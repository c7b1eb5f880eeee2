// Our CustomResourceDefinitions, as objects to install. Pure.

import { crdOf } from "#api/crd.ts";
import { kinds } from "#api/kinds.ts";
import type { InstallObject } from "./object.ts";

export function crdObjects(): readonly InstallObject[] {
  return kinds.map((kind) => crdOf(kind) as unknown as InstallObject);
}

/** Whoever wants the definitions to go with an installation makes this their owner: it lets its holder read them, and nothing else. */
export function definitionsOwnerObject(): InstallObject {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: "clusternet:definitions", labels: { "app.kubernetes.io/part-of": "clusternet" } },
    rules: [
      {
        apiGroups: ["apiextensions.k8s.io"],
        resources: ["customresourcedefinitions"],
        resourceNames: crdObjects().map(({ metadata }) => metadata.name),
        verbs: ["get"],
      },
    ],
  };
}
