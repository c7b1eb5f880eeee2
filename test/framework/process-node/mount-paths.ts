// Processes share one file system: what a container sees at a mount path lies in the pod's own directory, and arguments and variables
// that name the path are rewritten. Pure.

export interface Mount {
  readonly mountPath: string;
  readonly hostPath: string;
}

/** Replaces each mount path that stands as a whole path or as the beginning of one; the longest one wins. */
export function rewriteMountPaths(text: string, mounts: readonly Mount[]): string {
  const byLength = mounts.toSorted((a, b) => b.mountPath.length - a.mountPath.length);
  if (byLength.length === 0) return text;
  const paths = byLength.map(({ mountPath }) => escapeForRegExp(mountPath.replace(/\/+$/, "")));
  const pattern = new RegExp(`(^|[^A-Za-z0-9_./-])(${paths.join("|")})(?=$|[^A-Za-z0-9_.-])`, "g");
  return text.replaceAll(pattern, (_match, before: string, path: string) => before + (hostPathOf(path, byLength) ?? path));
}

function hostPathOf(path: string, mounts: readonly Mount[]): string | undefined {
  return mounts.find(({ mountPath }) => mountPath.replace(/\/+$/, "") === path)?.hostPath;
}

function escapeForRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
