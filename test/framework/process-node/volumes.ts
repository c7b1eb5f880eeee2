// Writes a pod's volumes below the pod's directory, and keeps Secrets, ConfigMaps and ServiceAccount tokens in them fresh.

import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KeyToPath, Pod, Volume, VolumeMount, VolumeProjection } from "kubernetes-types/core/v1.js";
import { fieldOf, MissingReferenceError } from "#test/framework/process-node/environment.ts";
import type { Mount } from "#test/framework/process-node/mount-paths.ts";
import type { PodFiles } from "#test/framework/process-node/pod-files.ts";

/** A token is renewed when this part of its life is over, as the kubelet does. */
const TOKEN_RENEW_AT = 0.8;
const TOKEN_SECONDS_DEFAULT = 3600;

export interface PodVolumesOptions {
  readonly pod: Pod;
  /** Volumes are its subdirectories. */
  readonly directory: string;
  readonly listenAddress: string;
  readonly hostAddress: string;
  readonly files: PodFiles;
}

/** One per pod. `write` may be called again and again: it changes only files whose content changed. */
export class PodVolumes {
  readonly #options: PodVolumesOptions;
  readonly #tokens = new Map<string, { readonly token: string; readonly renewAt: number }>();

  constructor(options: PodVolumesOptions) {
    this.#options = options;
  }

  async write(signal: AbortSignal): Promise<void> {
    for (const volume of this.#options.pod.spec?.volumes ?? []) await this.#writeVolume(volume, signal);
  }

  /** Where the mount paths of a container really are. */
  mounts(volumeMounts: readonly VolumeMount[]): Mount[] {
    const volumes = this.#options.pod.spec?.volumes ?? [];
    return volumeMounts.map(({ name, mountPath, subPath = "" }) => {
      const hostPath = volumes.find((volume) => volume.name === name)?.hostPath?.path;
      return { mountPath, hostPath: join(hostPath ?? this.#pathOf(name), subPath) };
    });
  }

  /** Whether anything in the volumes can change while the pod runs. */
  get canChange(): boolean {
    return (this.#options.pod.spec?.volumes ?? []).some(
      ({ secret, configMap, projected }) => secret !== undefined || configMap !== undefined || projected !== undefined,
    );
  }

  #pathOf(name: string): string {
    return join(this.#options.directory, name);
  }

  async #writeVolume(volume: Volume, signal: AbortSignal): Promise<void> {
    const path = this.#pathOf(volume.name);
    const { secret, configMap, projected, downwardAPI, emptyDir, hostPath } = volume;
    if (emptyDir !== undefined) await mkdir(path, { recursive: true });
    else if (secret !== undefined) {
      const name = secret.secretName ?? "";
      await writeFiles(path, await this.#data({ kind: "Secret", ...secret, name }, signal));
    } else if (configMap !== undefined) {
      await writeFiles(path, await this.#data({ kind: "ConfigMap", ...configMap, name: configMap.name ?? "" }, signal));
    } else if (downwardAPI !== undefined) await writeFiles(path, this.#downward(downwardAPI.items ?? []));
    else if (projected !== undefined) {
      const parts: Map<string, Buffer>[] = [];
      for (const [index, source] of (projected.sources ?? []).entries()) {
        parts.push(await this.#projection(source, `${volume.name}/${String(index)}`, signal));
      }
      await writeFiles(path, new Map(parts.flatMap((part) => [...part])));
    } else if (hostPath === undefined)
      throw new MissingReferenceError(`Volume ${volume.name} is of a type that a process node has not`);
  }

  async #projection(source: VolumeProjection, id: string, signal: AbortSignal): Promise<Map<string, Buffer>> {
    const { secret, configMap, downwardAPI, serviceAccountToken } = source;
    if (secret !== undefined) return this.#data({ kind: "Secret", ...secret, name: secret.name ?? "" }, signal);
    if (configMap !== undefined) return this.#data({ kind: "ConfigMap", ...configMap, name: configMap.name ?? "" }, signal);
    if (downwardAPI !== undefined) return this.#downward(downwardAPI.items ?? []);
    if (serviceAccountToken === undefined)
      throw new MissingReferenceError(`Projection ${id} is of a type that a process node has not`);
    const { path, audience, expirationSeconds = TOKEN_SECONDS_DEFAULT } = serviceAccountToken;
    return new Map([[path, Buffer.from(await this.#token({ id, expirationSeconds, audience }, signal))]]);
  }

  async #token(
    {
      id,
      expirationSeconds,
      audience,
    }: { readonly id: string; readonly expirationSeconds: number; readonly audience: string | undefined },
    signal: AbortSignal,
  ): Promise<string> {
    const known = this.#tokens.get(id);
    if (known !== undefined && Date.now() < known.renewAt) return known.token;
    const { pod, files } = this.#options;
    const requestedAt = Date.now();
    const { token, expiresAt } = await files.requestToken(
      { pod, expirationSeconds, ...(audience === undefined ? {} : { audience }) },
      signal,
    );
    this.#tokens.set(id, { token, renewAt: requestedAt + (expiresAt - requestedAt) * TOKEN_RENEW_AT });
    return token;
  }

  async #data(
    reference: {
      readonly kind: "Secret" | "ConfigMap";
      readonly name: string;
      readonly items?: readonly KeyToPath[];
      readonly optional?: boolean;
    },
    signal: AbortSignal,
  ): Promise<Map<string, Buffer>> {
    const { kind, name, items, optional } = reference;
    const data = await this.#options.files.data(kind, { namespace: this.#options.pod.metadata?.namespace ?? "", name }, signal);
    if (data === undefined) {
      if (optional === true) return new Map();
      throw new MissingReferenceError(`${kind} ${name} not found`);
    }
    if (items === undefined) return data;
    return new Map(
      items.flatMap(({ key, path }) => {
        const value = data.get(key);
        if (value === undefined && optional !== true) throw new MissingReferenceError(`${kind} ${name} has no key ${key}`);
        return value === undefined ? [] : [[path, value] as const];
      }),
    );
  }

  #downward(
    items: readonly { readonly path: string; readonly fieldRef?: { readonly fieldPath: string } }[],
  ): Map<string, Buffer> {
    return new Map(items.map(({ path, fieldRef }) => [path, Buffer.from(fieldOf(fieldRef?.fieldPath ?? "", this.#options))]));
  }
}

/** Each file changes as a whole, so a reader never sees half of one; files that are no longer wanted go. */
async function writeFiles(directory: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, content] of files) {
    const path = join(directory, name);
    const current = await readFile(path).catch(() => undefined);
    if (current?.equals(content) === true) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, content, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
  const topLevel = new Set([...files.keys()].map((name) => name.split("/")[0]));
  for (const name of await readdir(directory)) {
    if (!topLevel.has(name)) await rm(join(directory, name), { recursive: true });
  }
}
