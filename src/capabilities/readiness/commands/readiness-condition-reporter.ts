// `ballast readiness-condition-reporter`: node-readiness-controller's reporter with its environment, for DaemonSets and sidecars that have it.

import type { DefineCommand, Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { processLog } from '#process/process-log.ts'
import type { ConditionReport } from '../capability.ts'

/** As upstream has them. */
const standards = { CHECK_INTERVAL: 30_000, HEARTBEAT_PERIOD: 300_000 } as const

export const defineReadinessConditionReporter: DefineCommand = (program, surroundings, about) => {
  program
    .command('readiness-condition-reporter')
    .description(about)
    .option('--kubeconfig <file>', 'for use outside a cluster; default: KUBECONFIG, then the service account of the pod')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-v, --v <level>', 'upstream’s log level; accepted without effect')
    .option('--logtostderr [bool]', 'upstream’s flag; accepted, the log always goes there')
    .addHelpText(
      'after',
      [
        '\nEnvironment: NODE_NAME, CONDITION_TYPE and CHECK_ENDPOINT (needed), CHECK_INTERVAL (30s), HEARTBEAT_PERIOD (5m), IMPERSONATE_NODE (true:',
        '  writes as the user system:node:NODE_NAME).',
        'Exit codes: 0 stopped by a signal, 1 failed, 2 bad flag or environment.',
        'Example: ballast readiness-condition-reporter --kubeconfig ~/.kube/config',
        '  with NODE_NAME=n1 CONDITION_TYPE=example.com/Ready CHECK_ENDPOINT=http://localhost:9099/readiness in the environment',
      ].join('\n'),
    )
    .action((options: ReporterOptions) => runReporter(options, surroundings))
}

interface ReporterOptions {
  readonly kubeconfig?: string
  readonly context?: string
}

export interface ReporterSettings extends ConditionReport {
  readonly isImpersonating: boolean
  /** What was not as it should be, and is not used. */
  readonly warnings: readonly string[]
}

/** What the environment says. Times that are none are not used, as upstream does. @throws InputError naming each variable that is needed */
export function reporterSettings(environment: Surroundings['environment']): ReporterSettings {
  const problems: Problem[] = []
  const needed = (name: string, expected: string, isRight: (text: string) => boolean) => {
    const text = environment[name] ?? ''
    if (isRight(text)) return text
    problems.push({ code: 'environment-variable', where: name, found: text === '' ? 'nothing' : JSON.stringify(text), expected })
    return ''
  }
  const node = needed('NODE_NAME', 'the name of the node', text => text !== '')
  const type = needed('CONDITION_TYPE', 'the type of a condition, such as example.com/Ready', text => text !== '')
  const endpoint = needed('CHECK_ENDPOINT', 'an http or https URL', isWebAddress)
  if (problems.length > 0) throw new InputError(problems)
  const warnings: string[] = []
  const timeOf = (name: keyof typeof standards) => {
    const text = environment[name] ?? ''
    if (text === '') return standards[name]
    const parsed = parseDurationMs(text, name)
    if (parsed.ok && parsed.value > 0) return parsed.value
    warnings.push(`${name} is ${JSON.stringify(text)}, which is no time above 0: ${standards[name] / 1_000}s is used`)
    return standards[name]
  }
  const intervalMs = timeOf('CHECK_INTERVAL')
  const heartbeatMs = timeOf('HEARTBEAT_PERIOD')
  const isImpersonating = environment['IMPERSONATE_NODE'] === 'true'
  return { node, type, endpoint, intervalMs, heartbeatMs, isImpersonating, warnings }
}

function isWebAddress(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.host !== ''
}

async function runReporter(options: ReporterOptions, surroundings: Surroundings): Promise<void> {
  const { environment, signal } = surroundings
  const settings = reporterSettings(environment)
  const log = processLog({ level: 'info', clock: systemClock })
  for (const warning of settings.warnings) log.warn({}, warning)
  const { reportCondition } = await import('../capability.ts')
  const { connect } = await import('#process/agent/connect.ts')
  const as = settings.isImpersonating ? { as: `system:node:${settings.node}` } : {}
  const api = await connect({ ...options, ...as }, { log, surroundings })
  log.info({ node: settings.node, condition: settings.type, intervalMs: settings.intervalMs, ...as }, 'reporting the condition')
  try {
    await reportCondition(settings, { api, clock: systemClock, log, signal })
  } finally {
    await api.close()
  }
}
