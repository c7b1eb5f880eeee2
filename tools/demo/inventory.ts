// Everything that is in a cluster, as a set of lines, so that "nothing is left behind" can be shown and not only said.

import type { Kubectl } from "#tools/kubectl.ts";

/** Written by Kubernetes itself all the time, and gone by themselves. */
const PASSING = new Set([
  "events",
  "events.events.k8s.io",
  "leases.coordination.k8s.io",
  "endpointslices.discovery.k8s.io",
  "endpoints",
  "componentstatuses",
]);

export async function inventory(kubectl: Kubectl): Promise<ReadonlySet<string>> {
  const listed = await kubectl.run(["api-resources", "--verbs=list", "--output=name"]);
  const resources = listed.split("\n").filter((resource) => resource !== "" && !PASSING.has(resource));
  const text = await kubectl.run([
    "get",
    resources.join(","),
    "--all-namespaces",
    "--ignore-not-found",
    "--output=jsonpath={range .items[*]}{.apiVersion} {.kind} {.metadata.namespace}/{.metadata.name}{'\\n'}{end}",
  ]);
  return new Set(text.split("\n").filter((line) => line !== ""));
}

export function whatIsNew(before: ReadonlySet<string>, now: ReadonlySet<string>): readonly string[] {
  return [...now].filter((line) => !before.has(line)).sort();
}
