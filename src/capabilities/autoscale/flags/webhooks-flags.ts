// The command line of KEDA's admission webhooks as values.

import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import type { Parsed, WireSettings } from '#process/drop-ins/parsed-settings.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { klogForms, type ZapSettings, zapSettings } from '#process/drop-ins/zap.ts'
import { KedaEnvironment } from './keda-environment.ts'
import { type ClientSettings, clientForms, clientSettings, clientWarnings } from './keda-flags.ts'

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  ...clientForms, 'metrics-bind-address': 'text', 'health-probe-bind-address': 'text', port: 'whole', 'cache-miss-to-direct-client': 'bool',
}

export interface WebhooksSettings {
  readonly log: ZapSettings
  readonly client: ClientSettings
  /** `0` where it is off. */
  readonly metricsAddress: string
  readonly probeAddress: string
  readonly port: number
  readonly certificateDirectory: string
  readonly wire: WireSettings
}

/** The webhooks', by what follows the program's name. */
export function parseWebhooksFlags(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Parsed<WebhooksSettings> {
  const program = 'keda-admission-webhooks'
  const { values, unused, problems } = readFlags(words, {
    program,
    forms,
    unused: klogForms,
    letters: { v: 'v' },
    words: 'ignored',
  })
  if (problems.length > 0) return { ok: false, problems }
  const log = zapSettings(values)
  const flags = new GivenFlags(values)
  const { text, flag } = flags
  const given = new KedaEnvironment(environment)
  const port = flags.port('port', 9_443, 1)
  const wrong = [...log.problems, ...flags.problems]
  if (wrong.length > 0) return { ok: false, problems: wrong }
  const settings: WebhooksSettings = {
    log: log.settings,
    client: clientSettings(flags),
    metricsAddress: text('metrics-bind-address', ':8080'),
    probeAddress: text('health-probe-bind-address', ':8081'),
    port,
    certificateDirectory: text('cert-dir', '/certs'),
    wire: given.serviceWire(),
  }
  const direct = flag('cache-miss-to-direct-client')
    ? ['--cache-miss-to-direct-client is taken and has no effect: ours asks the API server for every workload that it judges by']
    : []
  return {
    ok: true,
    settings,
    warnings: [...unused, ...clientWarnings(flags), ...direct, ...given.warnings],
    refused: given.problems,
  }
}
