// `ballast amd-node-labeller`: AMD's node labeller with its flags and environment, for DaemonSets that have it.

import { type DefineCommand, exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import { connect } from '#process/agent/connect.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { thisMachine } from '../devices-agent.ts'
import { labellerSettings } from '../flags/labeller-flags.ts'
import { runNodeLabeller } from '../labelling/node-labeller.ts'

const name = 'amd-node-labeller'

export const defineNodeLabeller: DefineCommand = (program, surroundings, about) => {
  program
    .command(name)
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, each for a kind of label and off by default:",
        '  -family, -device-id, -product-name, -firmware',
        '  -driver-version, -driver-src-version',
        '  -vram, -simd-count, -cu-count',
        '  -compute-memory-partition, -compute-partitioning-supported, -memory-partitioning-supported',
        '  -kubeconfig FILE, -v 0',
        'Ours:',
        '  -prefix PREFIX of /sys and /dev',
        'Environment: DS_NODE_NAME.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        `Example: ballast ${name} -vram -cu-count -device-id`,
      ].join('\n'),
    )
    .action((words: readonly string[]) => run(words, surroundings))
}

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { environment, terminal, signal, ending } = surroundings
  preferSmallHeap()
  const { kinds, kubeconfig, prefix, verbosity, warnings } = labellerSettings(words)
  const node = environment['DS_NODE_NAME'] ?? ''
  if (node === '') throw new CommandRefused('DS_NODE_NAME is not set: it is the name of the node')
  const log = klog({
    program: name,
    format: 'text',
    // What upstream tells at its lowest level is information of the machinery's second.
    verbosity: verbosity + 2,
    clock: systemClock,
    processId: process.pid,
    write: line => terminal.say(line),
  }).machinery
  for (const warning of warnings) log.warn({}, warning)
  const api = await connect({ ...(kubeconfig === '' ? {} : { kubeconfig }) }, { log, surroundings })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  using faults = processFaults(exitAtOnce, ending)
  const onFault = (why: string) => log.error({ why }, 'a fault that nobody owns: the process ends in order')
  const labeller = { api, tree: thisMachine(prefix).tree, node, kinds, clock: systemClock, log }
  await endedInOrder({ faults, signal, ending, onFault }, until => runNodeLabeller(labeller, until))
}
