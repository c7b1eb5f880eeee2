// Our CustomResourceDefinitions, as objects to install. Pure.

import { crdName, crdOf } from "#api/crd.ts";
import { kinds } from "#api/kinds.ts";
import type { InstallObject } from "./object.ts";

export function crdObjects(): readonly InstallObject[] {
  made ??= kinds.map((kind) => crdOf(kind) as unknown as InstallObject);
  return made;
}

/** Always the same, and a quarter of a second's work: a program asks several times. */
let made: readonly InstallObject[] | undefined;

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
        resourceNames: kinds.map(crdName),
        verbs: ["get"],
      },
    ],
  };
}
