// A plugin that did not keep the contract: its decision is not carried out, and the condition says who it was.

/** A plugin threw, answered too late, or said what the contract does not allow. */
export class PluginError extends Error {
  override readonly name = "PluginError";

  constructor(plugin: string, what: string, options?: ErrorOptions) {
    super(`Plugin ${plugin} ${what}`, options);
  }
}
