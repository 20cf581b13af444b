// `ballast nfd-gc`: upstream's garbage collector with its flags and port: what describes nodes that are gone is deleted.

import { Registry } from 'prom-client'
import { type DefineCommand, exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { connect } from '#process/agent/connect.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { gcSettings } from '../flags/gc-flags.ts'
import { Collecting } from '../labelling/collecting.ts'
import { collectingMetrics } from '../labelling/metrics.ts'
import { buildInfo, nfdLog, serve } from './nfd-program.ts'

export const defineNfdGc: DefineCommand = (program, surroundings, about) => {
  program
    .command('nfd-gc')
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -gc-interval 1h, -list-size 200, -kubeconfig FILE, -port 8080, -version, -v 0;',
        '  those of klog are taken without effect',
        'Deleted are NodeFeatures and NodeResourceTopologies of nodes that the API server does not have, and NodeFeatures of no node.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        'Example: ballast nfd-gc -gc-interval=10m',
      ].join('\n'),
    )
    .action((words: readonly string[]) => run(words, surroundings))
}

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { signal, ending, terminal } = surroundings
  const { kubeconfig, port, intervalMs, pageSize, version, verbosity, warnings } = gcSettings(words)
  if (version) {
    terminal.write(`nfd-gc by Ballast ${programVersion}`)
    return
  }
  preferSmallHeap()
  const log = nfdLog('nfd-gc', verbosity, surroundings)
  for (const warning of warnings) log.warn({}, warning)
  const api = await connect(kubeconfig === '' ? {} : { kubeconfig }, { log, surroundings })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  using faults = processFaults(exitAtOnce, ending)
  const metrics = new Registry()
  buildInfo('gc', metrics)
  const onFault = (why: string) => log.error({ why }, 'a fault that nobody owns: the process ends in order')
  await endedInOrder({ faults, signal, ending, onFault }, async until => {
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
