// Credentials that a program or an identity provider hands out (exec, OIDC): the one home of @kubernetes/client-node.
//
// Imported only when a kubeconfig asks for it; see kubeconfig.ts.

import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { toError } from "#std/errors.ts";
import type { ClientCertificate, CredentialSource } from "./credentials.ts";

export interface PluginOptions {
  readonly text: string;
  /** Relative paths in the kubeconfig start here. */
  readonly directory: string;
  readonly context: string;
}

export function pluginSource({ text, directory, context }: PluginOptions): CredentialSource {
  const load = (): KubeConfig => {
    const config = new KubeConfig();
    config.loadFromString(text);
    config.makePathsAbsolute(directory);
    config.setCurrentContext(context);
    return config;
  };
  let config = load();
  return {
    read: async () => {
      const options: RequestOptions = {};
      try {
        await config.applyToHTTPSOptions(options);
      } catch (error) {
        throw new Error(`The credential plugin of context ${context} failed: ${toError(error).message}`, { cause: error });
      }
      return {
        headers: headersOf(options),
        caPem: textOf(options.ca),
        clientCertificate: certificateOf(options),
      };
    },
    // The plugins cache by themselves until what they gave expires; only a new one asks again before.
    forget: () => {
      config = load();
    },
  };
}

function headersOf({ headers }: RequestOptions): Record<string, string> {
  const entries = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return Object.fromEntries(entries) as Record<string, string>;
}

function certificateOf({ cert, key }: RequestOptions): ClientCertificate | undefined {
  const certificatePem = textOf(cert);
  const privateKeyPem = textOf(key);
  return certificatePem === undefined || privateKeyPem === undefined ? undefined : { certificatePem, privateKeyPem };
}

function textOf(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  return typeof value === "string" ? value : undefined;
}
