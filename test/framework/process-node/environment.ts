// A container's environment variables from the pod, Secrets and ConfigMaps, and `$(VAR)` in its command line. Pure.

import type { Container, EnvVar, EnvVarSource, Pod } from "kubernetes-types/core/v1.js";

export type Environment = Readonly<Record<string, string>>;

/** Data of `kind/name` as text; undefined when there is no such object. */
export type DataLookup = (kind: "Secret" | "ConfigMap", name: string) => Environment | undefined;

export interface EnvironmentContext {
  readonly pod: Pod;
  /** The address that the pod's processes listen on. */
  readonly listenAddress: string;
  readonly hostAddress: string;
  readonly lookup: DataLookup;
  /** Variables that every container gets. */
  readonly base: Environment;
}

/** A reference to something that does not exist (yet). The kubelet's reason for it is CreateContainerConfigError. */
export class MissingReferenceError extends Error {
  override readonly name = "MissingReferenceError";
}

export function environmentOf(container: Container, context: EnvironmentContext): Environment {
  const result: Record<string, string> = { ...context.base };
  for (const { configMapRef, secretRef, prefix = "" } of container.envFrom ?? []) {
    const data =
      configMapRef !== undefined
        ? dataOf("ConfigMap", configMapRef, context)
        : secretRef !== undefined
          ? dataOf("Secret", secretRef, context)
          : undefined;
    for (const [key, value] of Object.entries(data ?? {})) result[prefix + key] = value;
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(variable, { ...context, container, known: result });
    if (value !== undefined) result[variable.name] = value;
  }
  return result;
}

/** `$(VAR)` becomes its value, `$$(VAR)` becomes `$(VAR)`, and an unknown variable stays as it is written. */
export function expand(text: string, environment: Environment): string {
  return text.replaceAll(/\$\$|\$\(([^()]+)\)/g, (match, name: string | undefined) =>
    match === "$$" ? "$" : (environment[name ?? ""] ?? match),
  );
}

/** The names of all Secrets and ConfigMaps that the variables refer to. */
export function referencedData(container: Container): { kind: "Secret" | "ConfigMap"; name: string }[] {
  const references = [
    ...(container.envFrom ?? []).flatMap(({ secretRef, configMapRef }) => [
      { kind: "Secret" as const, name: secretRef?.name },
      { kind: "ConfigMap" as const, name: configMapRef?.name },
    ]),
    ...(container.env ?? []).flatMap(({ valueFrom }) => [
      { kind: "Secret" as const, name: valueFrom?.secretKeyRef?.name },
      { kind: "ConfigMap" as const, name: valueFrom?.configMapKeyRef?.name },
    ]),
  ];
  return references.flatMap(({ kind, name }) => (name === undefined ? [] : [{ kind, name }]));
}

/** The value of a downward API field such as `metadata.labels['app']`. */
export function fieldOf(
  fieldPath: string,
  { pod, listenAddress, hostAddress }: Omit<EnvironmentContext, "lookup" | "base">,
): string {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath);
  if (keyed !== null) return metadata?.[keyed[1] === "labels" ? "labels" : "annotations"]?.[keyed[2] ?? ""] ?? "";
  const lines = (map: Record<string, string> | undefined): string =>
    Object.entries(map ?? {})
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      .join("\n");
  const fields: Readonly<Record<string, string | undefined>> = {
    "metadata.name": metadata?.name,
    "metadata.namespace": metadata?.namespace,
    "metadata.uid": metadata?.uid,
    "metadata.labels": lines(metadata?.labels),
    "metadata.annotations": lines(metadata?.annotations),
    "spec.nodeName": spec?.nodeName,
    "spec.serviceAccountName": spec?.serviceAccountName,
    "status.podIP": listenAddress,
    "status.podIPs": listenAddress,
    "status.hostIP": hostAddress,
    "status.hostIPs": hostAddress,
  };
  const value = fields[fieldPath];
  if (value === undefined) throw new MissingReferenceError(`Field ${fieldPath} is not known to a process node`);
  return value;
}

interface VariableContext extends EnvironmentContext {
  readonly container: Container;
  readonly known: Environment;
}

function valueOf({ value, valueFrom }: EnvVar, context: VariableContext): string | undefined {
  return valueFrom === undefined ? expand(value ?? "", context.known) : sourceValue(valueFrom, context);
}

function sourceValue(source: EnvVarSource, context: VariableContext): string | undefined {
  const { fieldRef, secretKeyRef, configMapKeyRef, resourceFieldRef } = source;
  if (fieldRef !== undefined) return fieldOf(fieldRef.fieldPath, context);
  if (resourceFieldRef !== undefined) {
    const [list, name = ""] = resourceFieldRef.resource.split(".");
    const resources = context.container.resources;
    return (list === "limits" ? resources?.limits : resources?.requests)?.[name] ?? "0";
  }
  const reference = secretKeyRef ?? configMapKeyRef;
  if (reference === undefined) return undefined;
  const kind = secretKeyRef === undefined ? "ConfigMap" : "Secret";
  const value = dataOf(kind, reference, context)?.[reference.key];
  if (value === undefined && reference.optional !== true) {
    throw new MissingReferenceError(`${kind} ${reference.name ?? ""} has no key ${reference.key}`);
  }
  return value;
}

function dataOf(
  kind: "Secret" | "ConfigMap",
  { name = "", optional }: { readonly name?: string; readonly optional?: boolean },
  { lookup }: EnvironmentContext,
): Environment | undefined {
  const data = lookup(kind, name);
  if (data === undefined && optional !== true) throw new MissingReferenceError(`${kind} ${name} not found`);
  return data;
}
