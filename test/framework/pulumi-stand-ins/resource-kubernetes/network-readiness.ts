// When a Service or an Ingress counts as ready: something answers behind it, and a load balancer has an address.

import { field, listField, namespaceOf, nameOf, stringField, type GroupVersionKind } from "./kubernetes-object.ts";
import { isObject, type JsonObject } from "./property-values.ts";
import type { ListRelated, Readiness } from "./readiness-check.ts";

const ENDPOINT_SLICE: GroupVersionKind = { group: "discovery.k8s.io", version: "v1", kind: "EndpointSlice" };
const SERVICE: GroupVersionKind = { group: "", version: "v1", kind: "Service" };
const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

export async function serviceReadiness(service: JsonObject, list: ListRelated): Promise<Readiness> {
  const messages: string[] = [];
  if (expectsEndpoints(service) && !(await hasEndpoints(service, list))) {
    messages.push(
      "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match labels on any Pods",
    );
  }
  if (
    stringField(service, "spec", "type") === "LoadBalancer" &&
    listField(service, "status", "loadBalancer", "ingress").length === 0
  ) {
    messages.push("Service was not allocated an IP address; does your cloud provider support this?");
  }
  return messages.length === 0 ? { ready: true } : { ready: false, messages };
}

export async function ingressReadiness(ingress: JsonObject, list: ListRelated): Promise<Readiness> {
  const services = await list(SERVICE, namespaceOf(ingress));
  const messages: string[] = [];
  for (const name of backendNames(ingress)) {
    const service = services.find((candidate) => nameOf(candidate) === name);
    const isReached = service !== undefined && (!expectsEndpoints(service) || (await hasEndpoints(service, list)));
    if (!isReached)
      messages.push(
        `Ingress has at least one rule that does not target any Service: "${name}" does not exist or has no endpoints`,
      );
  }
  if (listField(ingress, "status", "loadBalancer", "ingress").length === 0) {
    messages.push("Ingress .status.loadBalancer field was not updated with a hostname/IP address");
  }
  return messages.length === 0 ? { ready: true } : { ready: false, messages };
}

/** Headless and external Services, and those without a selector, are somebody else's business. */
function expectsEndpoints(service: JsonObject): boolean {
  const selector = field(service, "spec", "selector");
  const isHeadless = stringField(service, "spec", "clusterIP") === "None";
  const isExternal = stringField(service, "spec", "type") === "ExternalName";
  return isObject(selector) && Object.keys(selector).length > 0 && !isHeadless && !isExternal;
}

async function hasEndpoints(service: JsonObject, list: ListRelated): Promise<boolean> {
  const slices = await list(ENDPOINT_SLICE, namespaceOf(service));
  return slices
    .filter((slice) => stringField(slice, "metadata", "labels", SERVICE_NAME_LABEL) === nameOf(service))
    .some((slice) => listField(slice, "endpoints").some((endpoint) => field(endpoint, "conditions", "ready") !== false));
}

function backendNames(ingress: JsonObject): ReadonlySet<string> {
  const rules = listField(ingress, "spec", "rules").flatMap((rule) => listField(rule, "http", "paths"));
  const names = rules.map((path) => stringField(path, "backend", "service", "name"));
  names.push(stringField(ingress, "spec", "defaultBackend", "service", "name"));
  return new Set(names.filter((name) => name !== ""));
}
