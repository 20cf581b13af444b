// `ballast nfd-topology-updater`: upstream's topology updater with its flags, configuration file, environment and port, for DaemonSets that have it.

import { Registry } from 'prom-client'
import type { DefineCommand, Surroundings } from '#cli/command-line.ts'
import type { Check } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import { systemRandom } from '#kube/random.ts'
import { connect } from '#process/agent/agent-roles.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { updaterSettings } from '../flags/topology-flags.ts'
import { thisMachine } from '../publishing/worker.ts'
import { publishTopologyOnce, startTopologyUpdater } from '../topology/topology-updater.ts'
import { buildInfo, endOf, identityOf, nfdLog, readIfThere, serve, untilEnded, versionSaid } from './nfd-program.ts'

const programName = 'nfd-topology-updater'

export const defineNfdTopologyUpdater: DefineCommand = (program, surroundings, about) => {
  program
    .command(programName)
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -config /etc/kubernetes/node-feature-discovery/nfd-topology-updater.conf',
        '  -oneshot, -no-publish, -sleep-interval 60s, -watch-namespace "*"',
        '  -kubelet-config-uri https://NODE_ADDRESS:10250/configz, or a file://',
        '  -api-auth-token-file FILE, -pods-fingerprint true',
        '  -podresources-socket /var/lib/kubelet/pod-resources/kubelet.sock',
        '  -kubelet-state-dir /var/lib/kubelet',
        '  -kubeconfig FILE, -port 8080, -version, -v 0; the others are taken without effect',
        'Ours:',
        '  -host-root-prefix PREFIX  in front of sys and var of the host',
        '                            (/host- where there is /host-sys, else /)',
        'Environment: NODE_NAME, NODE_ADDRESS, KUBERNETES_NAMESPACE.',
        'Exit codes: 0 done or stopped, 1 failed, 2 bad flag or configuration.',
        'Example: ballast nfd-topology-updater -oneshot -no-publish',
      ].join('\n'),
    )
    .action((words: readonly string[]) => run(words, surroundings))
}

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { environment, terminal, signal } = surroundings
  const settings = updaterSettings(words, {
    read: readIfThere,
    nodeAddress: environment['NODE_ADDRESS'] ?? '',
    stateDirectory: prefix => thisMachine(prefix).tree.host('var/lib/kubelet'),
  })
  if (settings.version) {
    terminal.write(versionSaid(programName))
    return
  }
  const node = environment['NODE_NAME'] ?? ''
  if (node === '') throw new CommandRefused('NODE_NAME is not set: it is the name of the node')
  const log = nfdLog(programName, settings.verbosity, surroundings)
  for (const warning of settings.warnings) log.warn({}, warning)
  const { kubeconfig, topology } = settings
  const api = await connect({ ...(kubeconfig === '' ? {} : { kubeconfig }) }, { log, surroundings })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  const metrics = new Registry()
  const context = {
    clock: systemClock,
    random: systemRandom,
    log,
    identity: identityOf(environment, node),
    ports: { take: () => undefined, offer: () => undefined },
    metrics,
    node,
    api,
  }
  const around = thisMachine(settings.hostRootPrefix)
  if (settings.oneshot) {
    await publishTopologyOnce(context, topology, signal, around)
    surroundings.end(exitCodes.done)
    return
  }
  await untilEnded(surroundings, log, async until => {
    let checks: () => readonly Check[] = () => []
    buildInfo('topology_updater', metrics)
    await using _served = await serve(settings.port, {
      ...{ metrics, log, checks: () => checks() },
      // Upstream's is well as long as it runs: what it waits for it does not get by a new start.
      waiting: () => undefined,
    })
    await using updater = await startTopologyUpdater(context, { topology }, until, around)
    checks = () => updater.health()
    await endOf(until)
  })
}
