// The arguments that every component of ours shares, and their defaults.

import { INSTALL_DEFAULTS } from "#install/object.ts";
import type { ComponentInstall } from "#install/parent.ts";
import { packageVersion } from "#std/version.ts";

export interface ComponentArgs {
  /** Namespace of the component. Default `clusternet-system`. */
  readonly namespace?: string;
  /** Container image. Default: this package's own image, in this package's version. */
  readonly image?: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  /** Default 1; further replicas stand by behind a Lease. */
  readonly replicas?: number;
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** Requests and limits of the container. Default 50m CPU and 128Mi requested, 512Mi at most. */
  readonly resources?: {
    readonly requests: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  /** Further flags of the component, such as `--kube-api-timeout=30s`; `docs/reference/options.md` lists them. */
  readonly extraArgs?: readonly string[];
}

const imageDefault = `${INSTALL_DEFAULTS.imageRepository}:${packageVersion}`;

export function componentInstall(args: ComponentArgs): ComponentInstall {
  return { ...args, namespace: args.namespace ?? INSTALL_DEFAULTS.namespace, image: args.image ?? imageDefault };
}
