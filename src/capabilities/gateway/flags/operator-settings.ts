// The add-on's operator as values: controller-runtime's flags, and its environment.

import { join } from 'node:path'
import { durationMs } from '#kube/time/duration.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import type { Parsed } from '#process/drop-ins/parsed-settings.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { klogForms, type ZapSettings, zapForms, zapSettings } from '#process/drop-ins/zap.ts'
import { type GatewayConfig, gatewayConfiguration } from '../config.ts'
import { operatorLease } from '../names.ts'
import { AddOnEnvironment } from './add-on-environment.ts'

export interface OperatorSettings {
  readonly log: ZapSettings
  readonly client: { readonly kubeconfig: string }
  /** `0` where it is off. */
  readonly metricsAddress: string
  /** Absent: whoever reaches the port may read them. */
  readonly metricsGuard?: {
    /** Where TLS is asked for: a pair of the Secret's names may lie there. */
    readonly certificateDirectory?: string
    /** Whether a token, and the right to read metrics, are asked for. */
    readonly isAsked: boolean
  }
  readonly probeAddress: string
  /** Absent: it acts at once, whoever else does. */
  readonly election: { readonly name: string; readonly times: LeaseTimes } | undefined
  readonly gateway: GatewayConfig
  readonly namespace: string
  /** Empty: the cluster. */
  readonly namespaces: readonly string[]
}

interface LeaseTimes {
  readonly leaseDurationMs?: number
  readonly renewDeadlineMs?: number
  readonly retryPeriodMs?: number
}

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  ...zapForms, kubeconfig: 'text', 'metrics-bind-address': 'text', 'metrics-secure': 'bool', 'metrics-auth': 'bool', 'metrics-cert-dir': 'text',
  'health-probe-bind-address': 'text', 'leader-elect': 'bool', 'profiling-bind-address': 'text',
}

const older = 'KEDAHTTP_OPERATOR_EXTERNAL_SCALER'
const newer = 'KEDA_HTTP_OPERATOR_EXTERNAL_SCALER'
const standardScalerPort = 8091
/** Where upstream serves metrics by TLS, whatever address it is told. */
const securePort = ':8443'
/** Below the folder of temporary files, as controller-runtime has it. */
const standardCertificates = 'k8s-metrics-server/serving-certs'

/** The operator's, by what follows the program's name. */
export function parseHttpOperator(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Parsed<OperatorSettings> {
  const table = { program: 'http-operator', forms, unused: klogForms, letters: { v: 'v' }, words: 'ignored' } as const
  const { values, unused, problems } = readFlags(words, table)
  const log = zapSettings(values)
  if (problems.length + log.problems.length > 0) return { ok: false, problems: [...problems, ...log.problems] }
  const { text, flag } = new GivenFlags(values)
  const given = new AddOnEnvironment(environment)
  const namespace = given.required('KEDA_HTTP_OPERATOR_NAMESPACE')
  const watched = given.text('KEDA_HTTP_OPERATOR_WATCH_NAMESPACE')
  const [isSecure, isAsked] = [flag('metrics-secure'), flag('metrics-auth')]
  const directory = text('metrics-cert-dir') || join(environment['TMPDIR'] || '/tmp', standardCertificates)
  const settings: OperatorSettings = {
    log: log.settings,
    client: { kubeconfig: text('kubeconfig') },
    metricsAddress: isSecure ? securePort : text('metrics-bind-address', ':8080') || ':8080',
    ...(isSecure || isAsked ? { metricsGuard: { isAsked, ...(isSecure ? { certificateDirectory: directory } : {}) } } : {}),
    probeAddress: text('health-probe-bind-address', ':8081'),
    election: flag('leader-elect') ? { name: operatorLease, times: leaseTimes(given) } : undefined,
    gateway: gatewayConfiguration.parse({ scalerAddress: scalerAddress(given, namespace) }),
    namespace,
    namespaces: watched === undefined ? [] : [watched],
  }
  const warnings = [
    ...unused,
    ...(text('profiling-bind-address') === '' ? [] : ['--profiling-bind-address has no effect: there are no profiles']),
    ...given.warnings,
  ]
  return { ok: true, settings, warnings, refused: given.problems }
}

/** As upstream writes it into ScaledObjects; the names with a missing underscore count where the others are not set. */
function scalerAddress(given: AddOnEnvironment, namespace: string): string {
  for (const word of ['SERVICE', 'PORT'])
    if (given.text(`${older}_${word}`) !== undefined)
      given.warnings.push(`${older}_${word} is deprecated, use ${newer}_${word} instead`)
  const service = given.text(`${newer}_SERVICE`, `${older}_SERVICE`) ?? given.required(`${newer}_SERVICE`)
  const port = given.whole(given.text(`${newer}_PORT`) === undefined ? `${older}_PORT` : `${newer}_PORT`, standardScalerPort)
  return `${service}.${namespace}:${port}`
}

function leaseTimes(given: AddOnEnvironment): LeaseTimes {
  const timeOf = (word: string): number | undefined => {
    const name = `KEDA_HTTP_OPERATOR_LEADER_ELECTION_${word}`
    return given.text(name) === undefined ? undefined : durationMs(given.duration(name, '15s'))
  }
  const [leaseDurationMs, renewDeadlineMs, retryPeriodMs] = ['LEASE_DURATION', 'RENEW_DEADLINE', 'RETRY_PERIOD'].map(timeOf)
  return {
    ...(leaseDurationMs === undefined ? {} : { leaseDurationMs }),
    ...(renewDeadlineMs === undefined ? {} : { renewDeadlineMs }),
    ...(retryPeriodMs === undefined ? {} : { retryPeriodMs }),
  }
}
