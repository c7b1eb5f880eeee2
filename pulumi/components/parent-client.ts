// The parent, asked directly by the program, for what providers do not say: only to show something to people.

import type * as pulumi from "@pulumi/pulumi";
import type { Client } from "#kube/client.ts";

export interface ParentAccess {
  /** Of the parent. */
  readonly kubeconfig: pulumi.Input<string>;
  /** Context within the kubeconfig. Default: its current one. */
  readonly context?: string;
}

export interface ConnectedClient extends AsyncDisposable {
  readonly client: Client;
}

/** Loaded only where it is needed: most programs never ask. */
export async function connectParent(text: string, context: string | undefined): Promise<ConnectedClient> {
  const [{ connectKubeconfig }, { createClient }] = await Promise.all([import("#kube/connection.ts"), import("#kube/client.ts")]);
  const connection = await connectKubeconfig({ text, ...(context === undefined ? {} : { context }) });
  return {
    client: createClient(connection, { component: "pulumi" }),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}
