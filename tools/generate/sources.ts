// The sources as syntax trees, for references that list what the code says: log events, metrics, reasons. No type checker: fast.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

const root = dirname(dirname(import.meta.dirname));
const FOLDERS = ["runtime", "pulumi", "cluster-api-integration"] as const;

export interface Source {
  /** From the repository's root. */
  readonly path: string;
  readonly tree: ts.SourceFile;
}

/** Every file that ships, in order of path. */
export function readSources(): readonly Source[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`),
  )
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .toSorted()
    .map((path) => ({
      path,
      tree: ts.createSourceFile(path, readFileSync(join(root, path), "utf8"), ts.ScriptTarget.Latest, true),
    }));
}

export function descendants(node: ts.Node): readonly ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (child: ts.Node): void => {
    found.push(child);
    child.forEachChild(visit);
  };
  node.forEachChild(visit);
  return found;
}

/** Text of `key: "text"` in an object literal; undefined for anything computed. */
export function textProperty(object: ts.ObjectLiteralExpression, key: string): string | undefined {
  const value = property(object, key);
  return value !== undefined && ts.isStringLiteralLike(value) ? value.text : undefined;
}

export function property(object: ts.ObjectLiteralExpression, key: string): ts.Expression | undefined {
  return object.properties.filter(ts.isPropertyAssignment).find((member) => member.name.getText() === key)?.initializer;
}

/** What the code says of a declaration: its doc comment, in one line. */
export function documentation(node: ts.Node): string {
  return ts
    .getJSDocCommentsAndTags(node)
    .filter(ts.isJSDoc)
    .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? "")
    .join(" ")
    .replace(/\s+/g, " ")
    .trim();
}

/** What the code says at the end of a member's line: `"lost" // the transport closed`. */
export function lineComment({ tree }: Source, node: ts.Node): string {
  return /^[^\n]*?\/\/ ?([^\n]*)/.exec(tree.text.slice(node.end))?.[1]?.trim() ?? "";
}
