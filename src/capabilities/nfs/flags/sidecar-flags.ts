// What the command lines of CSI's sidecars have in common: the flags of csi-lib-utils, and those of Kubernetes' logs.

import { InputError } from '#kube/problem.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import { logForms, withTwoDashes } from '#process/drop-ins/go-words.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import type { ElectionSettings } from '../jobs/job-life.ts'

type Forms = Readonly<Record<string, FlagForm>>

// biome-ignore format: a table
const standardForms: Forms = {
  version: 'bool', v: 'level', 'logging-format': 'text', kubeconfig: 'text', master: 'text', 'feature-gates': 'gates',
  'leader-election': 'bool', 'leader-election-namespace': 'text',
  'leader-election-lease-duration': 'duration', 'leader-election-renew-deadline': 'duration', 'leader-election-retry-period': 'duration',
  'kube-api-qps': 'number', 'kube-api-burst': 'whole', 'http-endpoint': 'text', 'metrics-address': 'text', 'metrics-path': 'text',
}

// biome-ignore format: a table
const standardUnused: Forms = {
  ...logForms, automaxprocs: 'bool', 'enable-pprof': 'bool', 'leader-election-labels': 'text',
  'log-flush-frequency': 'duration', 'log-text-split-stream': 'bool', 'log-text-info-buffer-size': 'text', 'log-json-split-stream': 'bool', 'log-json-info-buffer-size': 'text',
}

/** What a program has beyond the standard flags. */
export interface ProgramFlags {
  readonly program: string
  readonly forms: Forms
  /** Taken without effect. */
  readonly unused?: Forms
  /** Without any of the standard flags but version and logs. */
  readonly isPlain?: true
  /** Gates of features that upstream knows; those with a sentence are refused when they are on. */
  readonly gates?: Readonly<Record<string, string | undefined>>
  /** Flags that are refused when they are on: what they ask for, and who does it. */
  readonly refused?: Readonly<Record<string, string>>
}

/** How a program logs, and whether it says its version and no more. */
export interface LogSettings {
  readonly version: boolean
  readonly verbosity: number
  readonly format: 'text' | 'json'
  /** A sentence for each flag that has no effect. */
  readonly warnings: readonly string[]
}

/** What every sidecar with a Lease is told. */
export interface SidecarSettings extends LogSettings {
  readonly kubeconfig: string
  /** Undefined: it acts alone. The namespace is '' where none is named. */
  readonly election: ElectionSettings | undefined
  /** Requests to the API server; undefined: as our other programs. */
  readonly bucket: { readonly perSecond: number; readonly burst: number } | undefined
  /** Where metrics and health are served; '' nowhere. */
  readonly endpoint: string
  readonly metricsPath: string
}

/** Where drivers listen unless somebody says otherwise. */
export const standardSocket = '/run/csi/socket'

interface ReadFlags {
  readonly given: GivenFlags
  readonly warnings: readonly string[]
  /** @throws InputError with everything that is wrong */
  assertWell(): void
}

/** Reads the words that follow a program's name; nothing is thrown before `assertWell`. */
export function readSidecarFlags(words: readonly string[], of: ProgramFlags): ReadFlags {
  const plain: Forms = { version: 'bool', v: 'level', 'logging-format': 'text' }
  const forms = { ...(of.isPlain === true ? plain : standardForms), ...of.forms }
  const unused = { ...standardUnused, ...of.unused }
  const table = { program: of.program, forms, unused, letters: {}, words: 'refused' } as const
  const read = readFlags(withTwoDashes(words, { ...forms, ...unused }), table)
  const given = new GivenFlags(read.values)
  for (const [flag, because] of Object.entries(of.refused ?? {}))
    if (given.flag(flag)) given.refuse(`--${flag}`, 'true', `false: ${because}`)
  if (given.text('master') !== '') given.refuse('--master', given.text('master'), 'a kubeconfig that names the server')
  const gates = read.values.get('feature-gates')
  for (const [gate, isOn] of gates instanceof Map ? gates : []) {
    const known = of.gates ?? {}
    if (!Object.hasOwn(known, gate)) given.refuse('--feature-gates', gate, `one of ${Object.keys(known).join(', ')}`)
    else if (isOn && known[gate] !== undefined) given.refuse('--feature-gates', `${gate}=true`, `false: ${known[gate]}`)
  }
  return {
    given,
    warnings: read.unused,
    assertWell: () => {
      const all = [...read.problems, ...given.problems]
      if (all.length > 0) throw new InputError(all)
    },
  }
}

/** The standard part of what a sidecar is told. What is wrong is noted in `given`. */
export function sidecarSettings({ given, warnings }: Pick<ReadFlags, 'given' | 'warnings'>): SidecarSettings {
  const endpoint = given.text('http-endpoint')
  const metricsAddress = given.text('metrics-address')
  if (endpoint !== '' && metricsAddress !== '')
    given.refuse(
      '--metrics-address',
      metricsAddress,
      'nothing beside --http-endpoint',
      'only one of `--metrics-address` and `--http-endpoint` can be set.',
    )
  const election = {
    namespace: given.text('leader-election-namespace'),
    leaseDurationMs: given.number('leader-election-lease-duration', 15_000),
    renewDeadlineMs: given.number('leader-election-renew-deadline', 10_000),
    retryPeriodMs: given.number('leader-election-retry-period', 5_000),
  }
  const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = election
  if (leaseDurationMs <= renewDeadlineMs)
    given.refuse('--leader-election-lease-duration', `${leaseDurationMs}ms`, 'more than --leader-election-renew-deadline')
  if (renewDeadlineMs <= 1.2 * retryPeriodMs)
    given.refuse('--leader-election-renew-deadline', `${renewDeadlineMs}ms`, 'more than 1.2 times --leader-election-retry-period')
  if (retryPeriodMs < 1_000) given.refuse('--leader-election-retry-period', `${retryPeriodMs}ms`, '1s or more')
  const isLimited = given.has('kube-api-qps') || given.has('kube-api-burst')
  return {
    kubeconfig: given.text('kubeconfig'),
    election: given.flag('leader-election') ? election : undefined,
    bucket: isLimited ? { perSecond: given.number('kube-api-qps', 5), burst: given.number('kube-api-burst', 10) } : undefined,
    endpoint: endpoint || metricsAddress,
    metricsPath: given.text('metrics-path', '/metrics'),
    ...logSettings({ given, warnings }),
  }
}

export function logSettings({ given, warnings }: Pick<ReadFlags, 'given' | 'warnings'>): LogSettings {
  return { version: given.flag('version'), verbosity: given.number('v', 0), format: given.loggingFormat(), warnings }
}

/** When failures are tried again, of `--retry-interval-start` and `--retry-interval-max`. */
export function retriesOf(given: GivenFlags): { readonly retryFirstMs: number; readonly retryLastMs: number } {
  const retryFirstMs = positive(given, 'retry-interval-start', 1_000, 'ms')
  const retryLastMs = positive(given, 'retry-interval-max', 300_000, 'ms')
  if (retryFirstMs > retryLastMs) given.refuse('--retry-interval-start', `${retryFirstMs}ms`, 'at most --retry-interval-max')
  return { retryFirstMs, retryLastMs }
}

/** A number that is more than 0; another is refused. */
export function positive(given: GivenFlags, name: string, standard: number, unit: '' | 'ms' = ''): number {
  const value = given.number(name, standard)
  if (value <= 0) given.refuse(`--${name}`, `${value}${unit}`, 'more than 0')
  return value
}

/** How much of a UID is in a name: -1 for all of it, or up to the 32 digits that it has. */
export function uidLength(given: GivenFlags, name: string): number {
  const value = given.number(name, -1)
  if (value !== -1 && (value < 1 || value > 32)) given.refuse(`--${name}`, value, '-1, or a number from 1 to 32')
  return value
}

/** The driver's socket as an absolute path, or `tcp://HOST:PORT`. */
export function socketOf(given: GivenFlags, standard: string): string {
  const text = given.text('csi-address', standard)
  const path = text.replace(/^unix:(\/\/)?/i, '')
  if (/^tcp:\/\//i.test(text)) return text
  if (!path.startsWith('/')) given.refuse('--csi-address', text, 'an absolute path, with or without unix:// before it')
  return path
}
