// Flags of upstream's `registry`, and some of ours, over what the configuration says.

import { InputError, type Parsed, type Problem } from '#kube/problem.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseListenAddress } from './front/listen-address.ts'
import type { BootstrapSettings, MirrorSettings } from './settings.ts'
import { addressProblems, filtersOf, givingProblems, plainOf } from './settings-of.ts'

/** As they were given: in the command line or the environment. What was not given is absent. */
export interface RegistryFlags {
  readonly registryAddr?: string
  readonly routerAddr?: string
  readonly metricsAddr?: string
  readonly containerdSock?: string
  readonly containerdNamespace?: string
  readonly containerdContentPath?: string
  readonly dataDir?: string
  readonly mirroredRegistries?: readonly string[]
  readonly registryFilters?: readonly string[]
  readonly mirrorResolveTimeout?: string
  readonly mirrorResolveRetries?: string
  readonly bootstrapKind?: string
  readonly dnsBootstrapDomain?: string
  readonly httpBootstrapAddr?: string
  readonly httpBootstrapUrl?: string
  readonly httpBootstrapCertDir?: string
  readonly staticBootstrapPeers?: readonly string[]
  readonly debugWebEnabled?: string
  readonly resolveLatestTag?: string
  /** Ours from here on. */
  readonly bootstrapFile?: string
  readonly peerAddr?: string
  readonly peerCertDir?: string
  readonly allowFrom?: readonly string[]
  readonly tags?: string
  readonly zone?: string
  readonly dataPlane?: string
}

/** Upstream's own defaults, where they are not those of our configuration. */
export const upstreamDefaults = {
  registryAddresses: [':5000'],
  peerPort: 5_000,
  routerAddress: ':5001',
  metricsAddress: ':9090',
  dataDirectory: '',
  // Upstream's agents ask each other on the registry port.
  allowFrom: 'any',
  peerTlsAddress: undefined,
  peerCertificateDirectory: undefined,
  // Upstream's agents know no certificates.
  basicAuthTo: 'all',
  debugWebEnabled: true,
} as const satisfies Partial<MirrorSettings>

const bootstrapKinds = ['dns', 'http', 'static', 'file', 'kubernetes'] as const
const tagModes = ['always', 'never', 'fallback'] as const
const dataPlanes = ['auto', 'builtin', 'nginx'] as const
const peerTlsStandard = ':5002'
const mostRetries = 64

/** `base` with the flags laid over it. @throws InputError naming every flag that is wrong */
export function withFlags(base: MirrorSettings, flags: RegistryFlags): MirrorSettings {
  const problems: Problem[] = []
  const read = <T>(parsed: Parsed<T>, standard: T): T => {
    if (parsed.ok) return parsed.value
    problems.push(parsed.problem)
    return standard
  }
  const bool = (flag: string, text: string | undefined, standard: boolean) =>
    text === undefined ? standard : read(boolOf(text, flag), standard)
  const resolvesLatest = bool('--resolve-latest-tag', flags.resolveLatestTag, true)
  const registryAddresses = flags.registryAddr === undefined ? base.registryAddresses : [flags.registryAddr]
  const { kind, ...sources } = base.bootstrap
  const certificates = flags.peerCertDir ?? base.peerCertificateDirectory
  const settings: MirrorSettings = {
    ...base,
    registryAddresses,
    peerPort: portOf(registryAddresses[0]) ?? base.peerPort,
    routerAddress: flags.routerAddr ?? base.routerAddress,
    metricsAddress: flags.metricsAddr ?? base.metricsAddress,
    containerdSocket: flags.containerdSock ?? base.containerdSocket,
    containerdNamespace: flags.containerdNamespace ?? base.containerdNamespace,
    containerdContentPath: flags.containerdContentPath ?? base.containerdContentPath,
    dataDirectory: flags.dataDir ?? base.dataDirectory,
    filters: filtersWith(base, { flags, resolvesLatest, problems }),
    plainRegistries: flags.mirroredRegistries === undefined ? base.plainRegistries : plainOf(flags.mirroredRegistries),
    mirrorResolveTimeoutMs:
      flags.mirrorResolveTimeout === undefined
        ? base.mirrorResolveTimeoutMs
        : read(parseDurationMs(flags.mirrorResolveTimeout, '--mirror-resolve-timeout'), base.mirrorResolveTimeoutMs),
    mirrorResolveRetries:
      flags.mirrorResolveRetries === undefined
        ? base.mirrorResolveRetries
        : read(countOf(flags.mirrorResolveRetries, '--mirror-resolve-retries'), base.mirrorResolveRetries),
    bootstrap: {
      ...sources,
      ...bootstrapSources(flags),
      kind:
        flags.bootstrapKind === undefined ? kind : read(wordOf(flags.bootstrapKind, bootstrapKinds, '--bootstrap-kind'), kind),
    },
    debugWebEnabled: bool('--debug-web-enabled', flags.debugWebEnabled, base.debugWebEnabled),
    peerTlsAddress: flags.peerAddr ?? base.peerTlsAddress ?? (certificates === undefined ? undefined : peerTlsStandard),
    peerCertificateDirectory: certificates,
    basicAuthTo: certificates === undefined ? base.basicAuthTo : 'certified',
    allowFrom: flags.allowFrom === undefined ? base.allowFrom : allowed(flags.allowFrom),
    tags: flags.tags === undefined ? base.tags : read(wordOf(flags.tags, tagModes, '--tags'), base.tags),
    ownZone: flags.zone ?? base.ownZone,
    dataPlane:
      flags.dataPlane === undefined ? base.dataPlane : read(wordOf(flags.dataPlane, dataPlanes, '--data-plane'), base.dataPlane),
  }
  problems.push(...addressProblems(settings), ...givingProblems(settings))
  if (problems.length > 0) throw new InputError(problems)
  return settings
}

function filtersWith(
  { filters }: MirrorSettings,
  {
    flags,
    resolvesLatest,
    problems,
  }: { readonly flags: RegistryFlags; readonly resolvesLatest: boolean; readonly problems: Problem[] },
): MirrorSettings['filters'] {
  const { mirroredRegistries, registryFilters } = flags
  const given = filtersOf(
    { registries: mirroredRegistries ?? [], patterns: [...(registryFilters ?? []), ...(resolvesLatest ? [] : [':latest$'])] },
    'flags',
  )
  if (!given.ok) {
    problems.push(...given.problems.map(problem => ({ ...problem, where: flagPlace(problem.where) })))
    return filters
  }
  return {
    registries: mirroredRegistries === undefined ? filters.registries : given.value.registries,
    patterns: registryFilters === undefined ? [...filters.patterns, ...given.value.patterns] : given.value.patterns,
  }
}

/** As upstream's users know them: `mirroredRegistries[1]`. */
const flagPlace = (where: string): string =>
  where.replace('flags.registries', 'mirroredRegistries').replace('flags.filters', 'registryFilters')

function bootstrapSources(flags: RegistryFlags): Omit<BootstrapSettings, 'kind'> {
  return {
    ...(flags.dnsBootstrapDomain === undefined ? {} : { dnsDomain: flags.dnsBootstrapDomain }),
    ...(flags.httpBootstrapAddr === undefined ? {} : { httpAddress: flags.httpBootstrapAddr }),
    ...(flags.httpBootstrapUrl === undefined ? {} : { httpUrl: flags.httpBootstrapUrl }),
    ...(flags.httpBootstrapCertDir === undefined ? {} : { httpCertificateDirectory: flags.httpBootstrapCertDir }),
    ...(flags.staticBootstrapPeers === undefined ? {} : { staticPeers: flags.staticBootstrapPeers }),
    ...(flags.bootstrapFile === undefined ? {} : { file: flags.bootstrapFile }),
  }
}

function allowed(words: readonly string[]): MirrorSettings['allowFrom'] {
  const [word] = words
  return words.length === 1 && (word === 'node' || word === 'any') ? word : words
}

function portOf(address: string | undefined): number | undefined {
  const parsed = parseListenAddress(address ?? '', '--registry-addr')
  return parsed.ok ? parsed.value.port : undefined
}

function countOf(text: string, where: string): Parsed<number> {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= mostRetries) return { ok: true, value }
  return { ok: false, problem: { code: 'flag-value', where, found: text, expected: `a whole number from 1 to ${mostRetries}` } }
}

function wordOf<Word extends string>(text: string, words: readonly Word[], where: string): Parsed<Word> {
  const word = words.find(candidate => candidate === text)
  if (word !== undefined) return { ok: true, value: word }
  return { ok: false, problem: { code: 'flag-value', where, found: text, expected: `one of ${words.join(', ')}` } }
}

/** As Go reads them. */
export function boolOf(text: string, where: string): Parsed<boolean> {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return { ok: true, value: true }
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return { ok: true, value: false }
  return { ok: false, problem: { code: 'flag-value', where, found: text, expected: 'true or false' } }
}
