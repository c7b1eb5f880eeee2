// The interpreters that an administrator registered, parsed once per version of their ConfigMap; what is wrong with them becomes an Event.

import type { ConfigMap } from "#kube/builtin-kinds.ts";
import { warningEventReasons } from "#api/event-reasons.ts";
import { parseInterpreters, type Interpreters } from "#delivery/interpreters.ts";
import type { EventRecorder } from "#kube/events.ts";
import type { Informer } from "#kube/informer.ts";

export interface InterpreterRegistry {
  readonly informer: Informer<ConfigMap>;
  current(): Interpreters;
}

const NONE: Interpreters = new Map();

/** `informer` caches the one ConfigMap. */
export function interpreterRegistry(informer: Informer<ConfigMap>, events: EventRecorder): InterpreterRegistry {
  let known: { readonly of: ConfigMap; readonly interpreters: Interpreters } | undefined;
  return {
    informer,
    current: () => {
      const [configMap] = informer.list();
      if (configMap === undefined) return NONE;
      if (known?.of === configMap) return known.interpreters;
      const { interpreters, problems } = parseInterpreters(configMap.data ?? {});
      for (const message of problems)
        events.record(configMap, { type: "Warning", reason: warningEventReasons.invalidInterpreter, message });
      known = { of: configMap, interpreters };
      return interpreters;
    },
  };
}
