// docs/reference/metrics.md and log-events.md: every metric and every log event, as the code names them.

import ts from "typescript";
import { compareText } from "#std/compare-text.ts";
import { code, GENERATED_MARKDOWN, table } from "./markdown.ts";
import { descendants, property, readSources, textProperty, type Source } from "./sources.ts";

export function observabilityReference(): ReadonlyMap<string, string> {
  const sources = readSources();
  return new Map([
    ["docs/reference/metrics.md", metricsPage(sources)],
    ["docs/reference/log-events.md", logEventsPage(sources)],
  ]);
}

function metricsPage(sources: readonly Source[]): string {
  const rows = sources.flatMap(({ tree }) => callsOf(tree).flatMap(metricRow));
  return [
    GENERATED_MARKDOWN,
    "",
    "# Metrics",
    "",
    "Every component serves these on `/metrics` of its `--health-port`, in Prometheus' text form, beside the process metrics of Node.",
    "A component has those of its own folder and of the folders it is made of.",
    "",
    table(["name", "type", "labels", "meaning"], sorted(rows)),
    "",
  ].join("\n");
}

function metricRow(call: ts.CallExpression): string[][] {
  const type = methodName(call);
  const [options] = call.arguments;
  if (type === undefined || options === undefined || !ts.isObjectLiteralExpression(options)) return [];
  const name = textProperty(options, "name");
  if (!["counter", "gauge", "histogram"].includes(type) || name === undefined) return [];
  const labels = property(options, "labels");
  const names = labels !== undefined && ts.isArrayLiteralExpression(labels) ? labels.elements.filter(ts.isStringLiteralLike) : [];
  return [[code(name), type, names.map(({ text }) => code(text)).join(", "), textProperty(options, "help") ?? ""]];
}

function logEventsPage(sources: readonly Source[]): string {
  const events = new Map<string, { levels: Set<string>; fields: Set<string>; files: Set<string> }>();
  for (const { path, tree } of sources) {
    for (const { event, level, fields } of callsOf(tree).flatMap(logged)) {
      const entry = events.get(event) ?? { levels: new Set(), fields: new Set(), files: new Set() };
      events.set(event, entry);
      entry.levels.add(level);
      entry.files.add(path);
      for (const field of fields) entry.fields.add(field);
    }
  }
  const rows = [...events].map(([event, { levels, fields, files }]) => [
    code(event),
    [...levels].join(", "),
    [...fields].map(code).join(", "),
    [...files].map(code).join(", "),
  ]);
  return [
    GENERATED_MARKDOWN,
    "",
    "# Log events",
    "",
    "Every line is one JSON object; `event` is one of these. `component` and `version` are in every line, `controller` and the object's key",
    "in those of a controller, `requestId` in those of a request: the same on the parent's hub and the child's agent.",
    "",
    table(["event", "level", "fields", "written by"], sorted(rows)),
    "",
  ].join("\n");
}

const LEVELS = ["debug", "info", "warn", "error"];

function logged(call: ts.CallExpression): { event: string; level: string; fields: readonly string[] }[] {
  const level = methodName(call);
  const [event, fields] = call.arguments;
  if (level === undefined || !LEVELS.includes(level) || event === undefined || !ts.isStringLiteralLike(event)) return [];
  if (!/^[a-z-]+(\.[a-z-]+)+$/.test(event.text)) return [];
  const members = fields !== undefined && ts.isObjectLiteralExpression(fields) ? fields.properties : [];
  return [{ event: event.text, level, fields: members.flatMap(({ name }) => (name === undefined ? [] : [name.getText()])) }];
}

function callsOf(tree: ts.SourceFile): readonly ts.CallExpression[] {
  return descendants(tree).filter(ts.isCallExpression);
}

function methodName({ expression }: ts.CallExpression): string | undefined {
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : undefined;
}

function sorted(rows: readonly string[][]): readonly string[][] {
  return rows.toSorted(([a = ""], [b = ""]) => compareText(a, b));
}
