// `ballast amd-node-labeller`: AMD's node labeller with its flags and environment, for DaemonSets that have it.

import type { Surroundings } from '#cli/command-line.ts'
import { defineDropIn, klogOf, untilEnded } from '#cli/drop-ins/drop-in.ts'
import { systemClock } from '#kube/clock.ts'
import { connect } from '#process/agent/connect.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { thisMachine } from '../devices-agent.ts'
import { labellerSettings } from '../flags/labeller-flags.ts'
import { runNodeLabeller } from '../labelling/node-labeller.ts'

const name = 'amd-node-labeller'

export const defineNodeLabeller = defineDropIn({
  name: name,
  help: [
    "Upstream's flags, with one dash or two, each for a kind of label and off by default:",
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
  ],
  run,
})

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { environment } = surroundings
  preferSmallHeap()
  const { kinds, kubeconfig, prefix, verbosity, warnings } = labellerSettings(words)
  const node = environment['DS_NODE_NAME'] ?? ''
  if (node === '') throw new CommandRefused('DS_NODE_NAME is not set: it is the name of the node')
  const log = klogOf({ program: name, verbosity, warnings }, surroundings)
  const api = await connect({ ...(kubeconfig === '' ? {} : { kubeconfig }) }, { log, surroundings })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  const labeller = { api, tree: thisMachine(prefix).tree, node, kinds, clock: systemClock, log }
  await untilEnded(surroundings, log, until => runNodeLabeller(labeller, until))
}
