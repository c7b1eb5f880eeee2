// docs/reference/errors.md: every closed set of reasons, and every error class, as the code declares them.

import ts from "typescript";
import { code, GENERATED_MARKDOWN, table } from "./markdown.ts";
import { descendants, documentation, lineComment, readSources, type Source } from "./sources.ts";

interface Reason {
  readonly name: string;
  readonly meaning: string;
}

export function errorsReference(): ReadonlyMap<string, string> {
  const sources = readSources();
  const text = [
    GENERATED_MARKDOWN,
    "",
    "# Errors and reasons",
    "",
    "A failure has a reason out of a closed set: in a `Status` for clients of the hub, in a condition for owners of an object, in the log for",
    "operators. Programs decide by the reason, never by the message.",
    "",
    "## Sets of reasons",
    "",
    sources.flatMap(reasonSections).join("\n\n"),
    "",
    "## Error classes",
    "",
    table(["class", "file", "meaning"], sources.flatMap(errorRows)),
    "",
  ].join("\n");
  return new Map([["docs/reference/errors.md", text]]);
}

function reasonSections(source: Source): string[] {
  const declared = source.tree.statements.filter(ts.isTypeAliasDeclaration).filter(({ name }) => /Reason$/.test(name.text));
  return declared.flatMap((declaration) => {
    const reasons = membersOf(declaration.type, source);
    if (reasons.length === 0) return [];
    const about = documentation(declaration);
    const rows = reasons.map(({ name, meaning }) => [code(name), meaning]);
    return [
      [
        `### ${declaration.name.text}`,
        "",
        ...(about === "" ? [] : [about, ""]),
        `In ${code(source.path)}.`,
        "",
        listOf(rows),
      ].join("\n"),
    ];
  });
}

/** Meanings are shown where the code gives them. */
function listOf(rows: readonly (readonly string[])[]): string {
  if (rows.every(([, meaning]) => meaning === "")) return rows.map(([name]) => name).join(", ");
  return table(["reason", "meaning"], rows);
}

function membersOf(type: ts.TypeNode, source: Source): readonly Reason[] {
  if (ts.isUnionTypeNode(type)) return type.types.flatMap((member) => membersOf(member, source));
  if (ts.isParenthesizedTypeNode(type)) return membersOf(type.type, source);
  if (ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal)) {
    return [{ name: type.literal.text, meaning: lineComment(source, type) }];
  }
  if (ts.isTypeReferenceNode(type) && /Reason$/.test(type.typeName.getText())) {
    return [{ name: type.typeName.getText(), meaning: "all of that set" }];
  }
  if (ts.isTypeOperatorNode(type) || ts.isIndexedAccessTypeNode(type)) return constantMembers(type, source);
  return [];
}

/** `keyof typeof x` and `(typeof x)[number]`: the keys or the elements of the constant x. */
function constantMembers(type: ts.TypeNode, source: Source): readonly Reason[] {
  const query = descendants(type).find(ts.isTypeQueryNode);
  const constant = descendants(source.tree)
    .filter(ts.isVariableDeclaration)
    .find(({ name }) => name.getText() === query?.exprName.getText());
  const literal = constant?.initializer === undefined ? undefined : descendants(constant).find(isLiteral);
  if (literal === undefined) return [];
  if (ts.isArrayLiteralExpression(literal)) {
    return literal.elements
      .filter(ts.isStringLiteral)
      .map((element) => ({ name: element.text, meaning: lineComment(source, element) }));
  }
  return literal.properties
    .filter(ts.isPropertyAssignment)
    .map((member) => ({ name: member.name.getText(), meaning: `HTTP ${member.initializer.getText()}` }));
}

function isLiteral(node: ts.Node): node is ts.ArrayLiteralExpression | ts.ObjectLiteralExpression {
  return ts.isArrayLiteralExpression(node) || ts.isObjectLiteralExpression(node);
}

function errorRows({ path, tree }: Source): string[][] {
  return tree.statements
    .filter(ts.isClassDeclaration)
    .filter((declaration) => declaration.heritageClauses?.some((clause) => clause.getText() === "extends Error") === true)
    .map((declaration) => [code(declaration.name?.text ?? ""), code(path), documentation(declaration)]);
}
