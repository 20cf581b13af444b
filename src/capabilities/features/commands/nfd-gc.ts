// `ballast nfd-gc`: upstream's garbage collector with its flags and port: what describes nodes that are gone is deleted.

import { Registry } from 'prom-client'
import type { Surroundings } from '#cli/command-line.ts'
import { defineDropIn, klogOf, untilEnded, versionSaid } from '#cli/drop-ins/drop-in.ts'
import { systemClock } from '#kube/clock.ts'
import { systemRandom } from '#kube/random.ts'
import { connect } from '#process/agent/connect.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { gcSettings } from '../flags/gc-flags.ts'
import { Collecting } from '../labelling/collecting.ts'
import { collectingMetrics } from '../labelling/metrics.ts'
import { buildInfo, serve } from './nfd-program.ts'

export const defineNfdGc = defineDropIn({
  name: 'nfd-gc',
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -gc-interval 1h, -list-size 200, -kubeconfig FILE, -port 8080, -version, -v 0;',
    '  those of klog are taken without effect',
    'Deleted are NodeFeatures and NodeResourceTopologies of nodes that the API server does not have, and NodeFeatures of no node.',
    'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
    'Example: ballast nfd-gc -gc-interval=10m',
  ],
  run,
})

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { kubeconfig, port, intervalMs, pageSize, version, verbosity, warnings } = gcSettings(words)
  if (version) {
    surroundings.terminal.write(versionSaid('nfd-gc'))
    return
  }
  preferSmallHeap()
  const log = klogOf({ program: 'nfd-gc', verbosity, warnings }, surroundings)
  const api = await connect(kubeconfig === '' ? {} : { kubeconfig }, { log, surroundings })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  const metrics = new Registry()
  buildInfo('gc', metrics)
  await untilEnded(surroundings, log, async until => {
    const collecting = new Collecting({
      api,
      clock: systemClock,
      random: systemRandom,
      log,
      metrics: collectingMetrics(metrics),
      intervalMs,
      pageSize,
      // Nobody owns it: it ends the process, as any other fault.
      onFault: error => void Promise.reject(error),
    })
    await using _served = await serve(port, { metrics, log, checks: () => collecting.checks() })
    await collecting.run(until)
  })
}
