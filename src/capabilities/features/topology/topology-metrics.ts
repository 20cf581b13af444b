// What a topology updater counts: upstream's name, so that alerts of before go on.

import { Counter, type Registry } from 'prom-client'

const made = new WeakMap<Registry, Counter>()

/** Looks that came to nothing, in a registry: made once, whatever starts again. */
export function scanErrors(registry: Registry): Counter {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const counter = new Counter({
    name: 'nfd_topology_updater_scan_errors_total',
    help: 'Looks at what pods hold that failed',
    registers: [registry],
  })
  made.set(registry, counter)
  return counter
}
