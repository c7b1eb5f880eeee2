// Takes a decision that changes bindings through reserve, permit, preBind, bind and postBind; what fails or waits is unreserved.

import type { Logger } from "#std/log.ts";
import { PluginError } from "./plugin-error.ts";
import type { BindInput, EffectInput, PermitResult } from "./plugin.ts";
import type { PluginAt, Profile } from "./profile.ts";

export type CarriedOut = { readonly type: "bound" } | Exclude<PermitResult, { type: "allow" }>;

export interface CarryOutOptions {
  readonly profile: Profile;
  readonly log: Logger;
}

/** Fails when a plugin or the API server does; then nothing is reserved any more. */
export async function carryOut(
  input: BindInput,
  { profile: { plugins }, log }: CarryOutOptions,
  signal: AbortSignal,
): Promise<CarriedOut> {
  const { writeStatus: _writeStatus, ...effect } = input;
  const reserved: PluginAt<"reserve">[] = [];
  let isBound = false;
  try {
    for (const plugin of plugins.reserve) {
      reserved.unshift(plugin);
      await plugin.reserve(effect, signal);
    }
    for (const plugin of plugins.permit) {
      const result = await plugin.permit(effect, signal);
      if (result.type !== "allow") return result;
    }
    for (const plugin of plugins.preBind) await plugin.preBind(effect, signal);
    await bindWith(plugins.bind, input, signal);
    isBound = true;
  } finally {
    if (!isBound) await unreserve(reserved, { effect, log }, signal);
  }
  for (const plugin of plugins.postBind) {
    await logged(async () => plugin.postBind(effect, signal), { plugin: plugin.name, point: "postBind", log });
  }
  return { type: "bound" };
}

async function bindWith(plugins: readonly PluginAt<"bind">[], input: BindInput, signal: AbortSignal): Promise<void> {
  for (const plugin of plugins) if ((await plugin.bind(input, signal)).type === "bound") return;
  throw new PluginError(plugins.map(({ name }) => name).join(", "), "bound nothing: one of the profile's bind plugins must");
}

interface UnreserveOptions {
  readonly effect: EffectInput;
  readonly log: Logger;
}

/** Latest first. A reserve that failed half-way is undone too. */
async function unreserve(
  reserved: readonly PluginAt<"reserve">[],
  { effect, log }: UnreserveOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const plugin of reserved) {
    await logged(async () => plugin.unreserve?.(effect, signal), { plugin: plugin.name, point: "unreserve", log });
  }
}

interface LoggedOptions {
  readonly plugin: string;
  readonly point: string;
  readonly log: Logger;
}

/** What comes after the fact changes nothing any more. */
async function logged(work: () => Promise<void>, { plugin, point, log }: LoggedOptions): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.warn("scheduling.plugin-failed", { plugin, point, error });
  }
}
