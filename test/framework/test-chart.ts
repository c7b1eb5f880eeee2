// Small charts for tests, packed as `helm package` does.

import { gzipSync } from "node:zlib";
import { stringify } from "yaml";

export interface TestChart {
  readonly name: string;
  readonly version: string;
  readonly values?: Readonly<Record<string, unknown>>;
  /** File name below the chart -> content; default: one ConfigMap with `.Values.colour`. */
  readonly files?: Readonly<Record<string, string>>;
}

const BLOCK = 512;

const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
data:
  colour: {{ .Values.colour | quote }}
  version: {{ .Chart.Version | quote }}
`;

export function makeChart({
  name,
  version,
  values = { colour: "blue" },
  files = { "templates/settings.yaml": configMap },
}: TestChart): Buffer {
  const all = {
    "Chart.yaml": stringify({ apiVersion: "v2", name, version, type: "application" }),
    "values.yaml": stringify(values),
    ...files,
  };
  const parts = Object.entries(all).flatMap(([path, text]) => tarEntry(`${name}/${path}`, Buffer.from(text)));
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]));
}

/** One file in the ustar format. */
function tarEntry(path: string, content: Buffer): readonly Buffer[] {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, "0")}\0`;
  header.write(path, 0);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(content.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return [header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
}
