// `ballast intel-gpu-plugin`, `intel-npu-plugin` and `amd-gpu-plugin`: the plugins with their upstream's flags, for DaemonSets that have them.

import { type DefineCommand, exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import { randomUuid, systemRandom } from '#kube/random.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { processFaults } from '#process/parts/process-faults.ts'
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
export const definePlugin =
  (name: PluginProgram): DefineCommand =>
  (program, surroundings, about) => {
    program
      .command(name)
      .description(about)
      .argument('[words...]', "upstream's flags")
      .allowUnknownOption()
      .helpOption('-h, --help', 'what it takes')
      .addHelpText(
        'after',
        [
          "\nUpstream's flags, with one dash or two, and their defaults:",
          ...flags[name],
          'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
          `Example: ballast ${name} ${name === 'amd-gpu-plugin' ? '-pulse 10' : '-shared-dev-num 5'}`,
        ].join('\n'),
      )
      .action((words: readonly string[]) => run(name, words, surroundings))
  }

async function run(name: PluginProgram, words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { environment, terminal, signal, ending } = surroundings
  preferSmallHeap()
  const { config, prefix, verbosity, warnings } = pluginSettings(name, words)
  const log = klog({
    program: name,
    format: 'text',
    verbosity: verbosity + 2,
    clock: systemClock,
    processId: process.pid,
    write: line => terminal.say(line),
  }).machinery
  for (const warning of warnings) log.warn({}, warning)
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
  using faults = processFaults(exitAtOnce, ending)
  const onFault = (why: string) => log.error({ why }, 'a fault that nobody owns: the process ends in order')
  await endedInOrder({ faults, signal, ending, onFault }, async until => {
    await using _plugins = await startDevices(context, config, until, { ...thisMachine(prefix), isStandIn: true })
    const { promise, resolve } = Promise.withResolvers<void>()
    if (until.aborted) resolve()
    else until.addEventListener('abort', () => resolve(), { once: true })
    await promise
  })
}
