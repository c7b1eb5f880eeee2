// How a program says which cluster it means. There is no default: the cluster that a shell happens to point at is never used.

import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import * as z from "zod";
import { known, pathText } from "./arguments.ts";

/** One cluster, by a provider of your own or by its kubeconfig. */
export interface ClusterAccess {
  /** A provider with `clusterIdentifier` set: without it a rotated certificate would replace everything in the cluster. */
  readonly provider?: k8s.Provider;
  /** Text of a kubeconfig; a provider with a fixed `clusterIdentifier` is made from it. May be the output of another resource. */
  readonly kubeconfig?: pulumi.Input<string>;
  /** Context within the kubeconfig. Default: its current one. */
  readonly context?: string;
}

export const clusterAccessShape = {
  provider: z
    .custom<k8s.Provider>((value) => value === undefined || pulumi.Resource.isInstance(value), "Must be a kubernetes Provider")
    .optional(),
  kubeconfig: known(z.string().min(1, "Must be the text of a kubeconfig, not empty")).optional(),
  context: z.string().optional(),
} as const;

export const ONE_OF_ACCESS = "Give exactly one of provider and kubeconfig: the ambient cluster is never used";

export function hasOneAccess({ provider, kubeconfig }: { readonly provider?: unknown; readonly kubeconfig?: unknown }): boolean {
  return (provider === undefined) !== (kubeconfig === undefined);
}

/** The given provider, or one made for the kubeconfig that keeps its identity when certificates or addresses change. */
export function providerOf(name: string, access: ClusterAccess, parent: pulumi.Resource): k8s.Provider {
  if (access.provider !== undefined) return access.provider;
  return new k8s.Provider(
    name,
    {
      kubeconfig: pulumi.secret(access.kubeconfig ?? ""),
      clusterIdentifier: name,
      ...(access.context === undefined ? {} : { context: access.context }),
    },
    { parent },
  );
}

/** The provider that a component was given in its options, itself or through its parent. */
export function requireProvider(component: pulumi.ComponentResource, type: string): k8s.Provider {
  const provider = component.getProvider("kubernetes:core/v1:Namespace");
  if (provider === undefined) {
    throw new pulumi.RunError(
      `${type} needs an explicit kubernetes provider: pass { provider } in its options. The ambient cluster is never used, ` +
        "because a shell that points elsewhere would install into the wrong cluster.",
    );
  }
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- the kubernetes package's provider has one class
  return provider;
}

export interface ServerAddress {
  readonly url: string;
  /** PEM; absent when the certificate is one that systems trust. */
  readonly caPem: string | undefined;
}

/**
 * Where a kubeconfig's cluster is served, and the certificate authority that says so.
 *
 * @throws pulumi.RunError, which says what the kubeconfig lacks and never quotes it: it may hold a private key.
 */
export function serverOf(kubeconfig: string, context?: string): ServerAddress {
  const parsed = Kubeconfig.safeParse(yamlOf(kubeconfig));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${pathText(path)}: ${message}`).join("; ");
    throw new pulumi.RunError(`The parent's kubeconfig cannot be used: ${problems}`);
  }
  const config = parsed.data;
  const contextName = context ?? config["current-context"];
  const clusterName = config.contexts.find(({ name }) => name === contextName)?.context.cluster;
  const cluster = config.clusters.find(({ name }) => name === clusterName)?.cluster;
  if (cluster === undefined)
    throw new pulumi.RunError(`The kubeconfig has no cluster for its context ${JSON.stringify(contextName)}`);
  if (cluster["certificate-authority"] !== undefined) {
    throw new pulumi.RunError(
      "The parent's kubeconfig names a file with its certificate authority, which children cannot read: " +
        "use the output of `kubectl config view --raw --flatten`, or give both parent.url and parent.caPem",
    );
  }
  const data = cluster["certificate-authority-data"];
  return { url: cluster.server, caPem: data === undefined ? undefined : Buffer.from(data, "base64").toString("utf8") };
}

function yamlOf(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

const Kubeconfig = z.object({
  "current-context": z.string().optional(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string() }) })),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.url(),
        "certificate-authority": z.string().optional(),
        "certificate-authority-data": z.string().optional(),
      }),
    }),
  ),
});
