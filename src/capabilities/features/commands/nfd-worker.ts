// `ballast nfd-worker`: upstream's worker with its flags, configuration file, environment and port, for DaemonSets that have it.

import { Registry } from 'prom-client'
import type { DefineCommand, Surroundings } from '#cli/command-line.ts'
import type { Check } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import { systemRandom } from '#kube/random.ts'
import { connect } from '#process/agent/agent-roles.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { featuresConfiguration } from '../config.ts'
import { workerSettings } from '../flags/worker-flags.ts'
import { publishOnce, startWorker, thisMachine } from '../publishing/worker.ts'
import { buildInfo, endOf, identityOf, nfdLog, readIfThere, serve, untilEnded, versionSaid } from './nfd-program.ts'

export const defineNfdWorker: DefineCommand = (program, surroundings, about) => {
  program
    .command('nfd-worker')
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -config /etc/kubernetes/node-feature-discovery/nfd-worker.conf, -options YAML',
        '  -oneshot, -no-publish, -owner-refs pod,ds, -no-owner-refs',
        '  -feature-sources all, -label-sources all, -no-publish-features',
        '  -kubeconfig FILE, -port 8080, -version, -v 0; the others are taken without effect',
        'Ours:',
        '  -host-root-prefix PREFIX  in front of sys, etc, lib, boot, usr of the host',
        '                            (/host- where there is /host-sys, else /)',
        'Environment: NODE_NAME, POD_NAME, POD_UID, KUBERNETES_NAMESPACE.',
        'Exit codes: 0 done or stopped, 1 failed, 2 bad flag or configuration.',
        'Example: ballast nfd-worker -oneshot -no-publish',
      ].join('\n'),
    )
    .action((words: readonly string[]) => run(words, surroundings))
}

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  const { environment, terminal, signal } = surroundings
  const settings = workerSettings(words, readIfThere)
  if (settings.version) {
    terminal.write(versionSaid('nfd-worker'))
    return
  }
  const node = environment['NODE_NAME'] ?? ''
  if (node === '') throw new CommandRefused('NODE_NAME is not set: it is the name of the node')
  const log = nfdLog('nfd-worker', settings.verbosity, surroundings)
  for (const warning of settings.warnings) log.warn({}, warning)
  const { kubeconfig, config } = settings
  const api = config.core.noPublish
    ? undefined
    : await connect({ ...(kubeconfig === '' ? {} : { kubeconfig }) }, { log, surroundings })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api?.close())
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
    await publishOnce(context, config, signal, around)
    surroundings.end(exitCodes.done)
    return
  }
  await untilEnded(surroundings, log, async until => {
    let checks: () => readonly Check[] = () => [{ name: 'features-worker', ok: false }]
    buildInfo('worker', metrics)
    await using _served = await serve(settings.port, { metrics, log, checks: () => checks() })
    await using worker = await startWorker(context, featuresConfiguration.parse({ worker: config }), until, around)
    checks = () => worker.health()
    await endOf(until)
  })
}
