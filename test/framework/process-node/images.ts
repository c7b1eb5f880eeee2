// Which command a container's image stands for on a node without images. Pure.

export interface ImageRule {
  readonly matches: RegExp;
  /** What the image's ENTRYPOINT is; a container's `command` replaces it. */
  readonly entrypoint: readonly string[];
}

export interface ContainerCommand {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
}

export interface ImageOptions {
  /** The executable that every `node` stands for. */
  readonly node: string;
  /** What `…/pulumi-clusternet:*` runs; its first argument is the component. */
  readonly componentEntry: string;
}

export function defaultImages({ node, componentEntry }: ImageOptions): readonly ImageRule[] {
  return [
    { matches: /(^|\/)pulumi-clusternet(:|@|$)/, entrypoint: [node, componentEntry] },
    { matches: /(^|\/)node(:|@|$)/, entrypoint: [] },
  ];
}

/** The whole command line, before `$(VAR)` is expanded; undefined for an image that this node cannot run. */
export function commandLineOf(
  { image, command = [], args = [] }: ContainerCommand,
  { rules, node }: { readonly rules: readonly ImageRule[]; readonly node: string },
): readonly string[] | undefined {
  const rule = rules.find(({ matches }) => matches.test(image));
  if (rule === undefined) return undefined;
  const [executable = node, ...rest] = [...(command.length > 0 ? command : rule.entrypoint), ...args];
  return [executable === "node" ? node : executable, ...rest];
}
