// CPU time and peak memory of processes, from /proc.

import { readFile } from "node:fs/promises";

export interface ProcessUse {
  readonly cpuMs: number;
  readonly peakRssBytes: number;
}

/** Linux counts in ticks of 10 ms. */
const MS_PER_TICK = 10;

export async function processUse(pid: number): Promise<ProcessUse> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, "utf8");
  // The name, in parentheses, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const status = await readFile(`/proc/${String(pid)}/status`, "utf8");
  const peakKib = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
  return { cpuMs: ticks * MS_PER_TICK, peakRssBytes: peakKib * 1024 };
}
