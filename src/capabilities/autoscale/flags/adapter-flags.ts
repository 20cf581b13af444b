// The command line of KEDA's adapter as values: the flags of a server behind the API server, and those by which it asks the operator.

import {
  type AuthenticationSettings,
  type AuthorizationSettings,
  aggregatedForms,
  aggregatedUnusedForms,
  authenticationOf,
  authorizationOf,
  GivenFlags,
  type ServingSettings,
  servingOf,
} from '#process/drop-ins/aggregated-flags.ts'
import type { Parsed, WireSettings } from '#process/drop-ins/parsed-settings.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { klogForms, type ZapSettings, zapSettings } from '#process/drop-ins/zap.ts'
import { KedaEnvironment } from './keda-environment.ts'
import { type ClientSettings, clientForms, clientSettings, clientWarnings } from './keda-flags.ts'

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  ...clientForms, ...aggregatedForms,
  msg: 'text', port: 'whole', 'metrics-service-address': 'text', 'metrics-service-grpc-authority': 'text', v: 'whole', logtostderr: 'bool',
}

/** Taken, because upstream takes them, and without effect. What klog writes and zap does not is nothing here. */
// biome-ignore format: a table
const unusedForms: Readonly<Record<string, FlagForm>> = {
  ...aggregatedUnusedForms, 'lister-kubeconfig': 'text', 'discovery-interval': 'duration', 'client-qps': 'number', 'client-burst': 'whole',
  ...Object.fromEntries(Object.entries(klogForms).filter(([name]) => !Object.hasOwn(forms, name))),
}
/** What the chart says to everybody is no news. */
const chartSays: ReadonlySet<string> = new Set(['--stderrthreshold is taken and has no effect'])

export interface AdapterSettings {
  readonly log: ZapSettings
  readonly client: ClientSettings
  /** Said when it begins. */
  readonly message: string
  /** Where metrics are told in plain HTTP. */
  readonly metricsPort: number
  readonly service: {
    readonly address: string
    /** Empty: the address. */
    readonly authority: string
    /** Where `ca.crt`, `tls.crt` and `tls.key` are. */
    readonly directory: string
    readonly wire: WireSettings
  }
  readonly serving: ServingSettings
  readonly authentication: AuthenticationSettings
  readonly authorization: AuthorizationSettings
}

/** The adapter's, by what follows the program's name. */
export function parseAdapterFlags(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Parsed<AdapterSettings> {
  const table = { program: 'keda-adapter', forms, unused: unusedForms, letters: { v: 'v' }, words: 'ignored' } as const
  const { values, unused, problems } = readFlags(words, table)
  if (problems.length > 0) return { ok: false, problems }
  const log = zapSettings(values)
  const flags = new GivenFlags(values)
  const { text, number, flag } = flags
  const given = new KedaEnvironment(environment)
  const serving = servingOf(flags)
  const authentication = authenticationOf(flags)
  const authorization = authorizationOf(flags)
  const metricsPort = flags.port('port', 8_080, 1)
  if (serving === undefined) flags.refuse('--secure-port', 0, 'a port: without one nobody can ask')
  const wrong = [...log.problems, ...flags.problems]
  if (serving === undefined || wrong.length > 0) return { ok: false, problems: wrong }
  // Upstream reads it and looks at nothing by it.
  given.namespaces()
  const isConsole = flag('logtostderr')
  const isDetailed = number('v', -1) > 0
  const settings: AdapterSettings = {
    log: {
      ...log.settings,
      ...(isConsole ? { encoder: 'console' as const } : {}),
      ...(isDetailed ? { level: 'debug' as const } : {}),
    },
    client: clientSettings(flags),
    message: text('msg', 'starting adapter...'),
    metricsPort,
    service: {
      address: text('metrics-service-address', `keda-operator.${given.namespace}.svc.cluster.local:9666`),
      authority: text('metrics-service-grpc-authority'),
      directory: serving.certificateDirectory,
      wire: given.serviceWire(),
    },
    serving,
    authentication,
    authorization,
  }
  const told = [
    ...unused.filter(sentence => !chartSays.has(sentence)),
    ...flags.warnings,
    ...clientWarnings(flags),
    ...given.warnings,
  ]
  return { ok: true, settings, warnings: told, refused: given.problems }
}
