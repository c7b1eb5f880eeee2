// helm against one cluster: runs commands, reads what helm says of a release, and puts its failures into words for people.

import * as z from "zod";
import { ReleasePhase } from "#api/apps/v1alpha1/helm-release.ts";
import { Secret } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";
import type { ClusterAccess, ClusterProxy } from "./cluster-proxy.ts";
import { statusArguments } from "./helm-arguments.ts";
import type { Helm, HelmMajor, HelmResult } from "./helm-process.ts";
import type { Phase, ReleaseKey } from "./release-plan.ts";
import { markedFailed } from "./stored-release.ts";

/** A look at a release: one list of Secrets. */
const STATUS_MS_MAX = 60_000;
const MESSAGE_CHARS_MAX = 1_024;

const Release = z.object({
  version: z.number(),
  info: z.object({
    status: z.string(),
    first_deployed: z.string().optional(),
    last_deployed: z.string().optional(),
    description: z.string().optional(),
    notes: z.string().optional(),
  }),
});

export interface HelmState {
  readonly status: Phase;
  readonly revision: number;
  readonly firstDeployed?: string;
  readonly lastDeployed?: string;
  readonly description?: string;
  readonly notes?: string;
}

/** helm ran and said no. */
export class HelmError extends Error {
  override readonly name = "HelmError";
}

export interface HelmSession extends AsyncDisposable {
  readonly major: HelmMajor;
  /** undefined: there is no such release. */
  state(key: ReleaseKey, signal: AbortSignal): Promise<HelmState | undefined>;
  /** What it printed. Throws HelmError. */
  run(command: SessionCommand, signal: AbortSignal): Promise<string>;
  /** A run of this release that was killed is recorded as failed, so that helm takes the release up again. */
  recover(key: ReleaseKey, revision: number, signal: AbortSignal): Promise<void>;
}

export interface SessionCommand {
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly limitMs: number;
}

export interface SessionOptions {
  readonly helm: Helm;
  readonly proxy: ClusterProxy;
  /** The cluster, as the identity that delivers. */
  readonly child: Client;
}

export async function openSession({ helm, proxy, child }: SessionOptions, signal: AbortSignal): Promise<HelmSession> {
  const major = await helm.major(signal);
  const access = await proxy.open(child.connection);
  const send = (command: SessionCommand): Promise<HelmResult> => helm.run({ ...command, kubeconfig: access.kubeconfig }, signal);
  return {
    major,
    state: async (key) => {
      const result = await send({ args: statusArguments(key), limitMs: STATUS_MS_MAX });
      if (!result.ok) {
        if (isNoRelease(result)) return undefined;
        throw new HelmError(messageOf(result, { access, helm }));
      }
      return parseState(result.stdout);
    },
    run: async (command) => {
      const result = await send(command);
      if (!result.ok) throw new HelmError(messageOf(result, { access, helm }));
      return result.stdout;
    },
    recover: async ({ namespace, name }, revision) => {
      const key = { namespace, name: `sh.helm.release.v1.${name}.v${String(revision)}` };
      const secret = await child.get(Secret, key, signal);
      const marked = secret === undefined ? undefined : markedFailed(secret);
      // With its resourceVersion: if helm still writes it, we do not.
      if (marked !== undefined) await child.update(Secret, marked, signal);
    },
    [Symbol.asyncDispose]: () => access[Symbol.asyncDispose](),
  };
}

export function isNoRelease({ stderr }: Pick<HelmResult, "stderr">): boolean {
  return /release: not found|release not loaded/i.test(stderr);
}

/** helm prints the release after an install or upgrade, too. */
export function parseState(stdout: string): HelmState {
  const { version, info } = Release.parse(JSON.parse(stdout));
  const { first_deployed: firstDeployed, last_deployed: lastDeployed, description, notes } = info;
  return {
    status: phaseOf(info.status),
    revision: version,
    ...(firstDeployed === undefined ? {} : { firstDeployed }),
    ...(lastDeployed === undefined ? {} : { lastDeployed }),
    ...(description === undefined ? {} : { description }),
    ...(notes === undefined ? {} : { notes }),
  };
}

function phaseOf(status: string): Phase {
  return ReleasePhase.catch("unknown").parse(status);
}

function messageOf({ stderr }: HelmResult, { access, helm }: { readonly access: ClusterAccess; readonly helm: Helm }): string {
  return failureText(stderr.replaceAll(access.server, "the cluster"), helm);
}

/** From helm's last error on; without paths of ours, which mean nothing to anybody. */
export function failureText(stderr: string, { directory }: Pick<Helm, "directory">): string {
  const said = stderr.trim();
  const from = said.lastIndexOf("\nError: ");
  const error = (from === -1 ? said : said.slice(from + 1)).replace(/^Error: /, "");
  const clean = error.replaceAll(`${directory}/`, "");
  return clean === "" ? "helm failed and did not say why" : clean.slice(0, MESSAGE_CHARS_MAX);
}
