// Resource metrics in metrics-server's place. So far it is a process of its own, with upstream's flags; it has no section of the configuration.
import * as z from 'zod'
import { capability } from '#coordination/capability.ts'

export const metrics = capability({
  name: 'metrics',
  document: 'metrics.md',
  config: z.strictObject({}),
  kinds: [],
  replaces: [{ upstream: 'metrics-server', leases: [] }],
  disrupts: [],
  commands: [
    {
      name: 'metrics-server',
      usage: '[words...]',
      about:
        "runs in metrics-server's place, with its flags, API, probes and metrics. A program called `metrics-server` runs it too",
      inPlaceOf: { programs: ['metrics-server'] },
      load: async () => (await import('./commands/metrics-server.ts')).defineMetricsServer,
    },
  ],
  parts: [],
  leaves: [],
})
