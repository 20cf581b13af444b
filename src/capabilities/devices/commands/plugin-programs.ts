// `ballast intel-gpu-plugin`, `intel-npu-plugin` and `amd-gpu-plugin`: the plugins with their upstream's flags, for DaemonSets that have them.

import type { DefineCommand, Surroundings } from '#cli/command-line.ts'
import { defineDropIn, klogOf, untilAborted, untilEnded } from '#cli/drop-ins/drop-in.ts'
import { systemClock } from '#kube/clock.ts'
import { randomUuid, systemRandom } from '#kube/random.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { startDevices, thisMachine } from '../devices-agent.ts'
import { type PluginProgram, pluginSettings } from '../flags/plugin-flags.ts'

const flags: Readonly<Record<PluginProgram, readonly string[]>> = {
  'intel-gpu-plugin': [
    '  -shared-dev-num 1, -allocation-policy none|balanced|packed',
    '  -enable-monitoring, -monitoring-mode single|split',
    '  -bypath single|all|none, -allow-ids IDS, -deny-ids IDS',
    '  -health-management, -temp-limit 100, -gpu-temp-limit 100, -memory-temp-limit 100',
    '  -xpumd-endpoint SOCKET, -wsl',
    '  -prefix PREFIX (of /dev and /sys), -v 0',
  ],
  'intel-npu-plugin': ['  -shared-dev-num 1, -prefix PREFIX (of /dev and /sys), -v 0'],
  'amd-gpu-plugin': ['  -pulse 0, -resource_naming_strategy single|mixed, -v 0', 'Ours:', '  -prefix PREFIX of /dev and /sys'],
}

/** Defines the command of one program. */
export const definePlugin = (name: PluginProgram): DefineCommand =>
  defineDropIn({
    name,
    help: [
      "Upstream's flags, with one dash or two, and their defaults:",
      ...flags[name],
      'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
      `Example: ballast ${name} ${name === 'amd-gpu-plugin' ? '-pulse 10' : '-shared-dev-num 5'}`,
    ],
    run: (words, surroundings) => run(name, words, surroundings),
  })

async function run(name: PluginProgram, words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { environment } = surroundings
  preferSmallHeap()
  const { config, prefix, verbosity, warnings } = pluginSettings(name, words)
  const log = klogOf({ program: name, verbosity, warnings }, surroundings)
  const node = environment['NODE_NAME'] ?? ''
  const pod = environment['HOSTNAME'] ?? name
  const context = {
    clock: systemClock,
    random: systemRandom,
    log,
    identity: { name: pod, namespace: 'default', instance: `${pod}_${randomUuid(systemRandom)}` },
    ports: { take: () => undefined, offer: () => undefined },
    node,
    api: undefined,
  }
  await untilEnded(surroundings, log, async until => {
    await using _plugins = await startDevices(context, config, until, { ...thisMachine(prefix), isStandIn: true })
    await untilAborted(until)
  })
}
