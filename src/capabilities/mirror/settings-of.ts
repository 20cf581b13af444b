// From the configuration, and from upstream's flags, to what an agent works by. Pure: what the machine says comes as an argument.

import { InputError, type Problem } from '#kube/problem.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { wholeNumber } from '#kube/values/quantity.ts'
import { type Pattern, parsePattern } from '#kube/values/regex.ts'
import type { MirrorConfig } from './config.ts'
import type { RegistryFilters } from './filters.ts'
import { parseListenAddress } from './front/listen-address.ts'
import { parseMirroredRegistry, wildcard } from './registry-url.ts'
import type { BootstrapSettings, MirrorSettings } from './settings.ts'

/** What the configuration does not say, because it differs from node to node. */
export interface MirrorPlace {
  /** The node's own address, which the ports are bound to; `undefined`: every address. */
  readonly nodeAddress?: string | undefined
  readonly zone?: string | undefined
  /** Folder of `ca.crt`, `tls.crt`, `tls.key`. */
  readonly peerCertificateDirectory?: string | undefined
  /** Addresses of other nodes, for bootstrap `file`. */
  readonly peersFile?: string | undefined
  /** For bootstrap `dns`. */
  readonly peersDomain?: string | undefined
  readonly basicAuth?: MirrorSettings['basicAuth']
}

/** @throws InputError naming each key that cannot be used */
export function settingsOf(config: MirrorConfig, place: MirrorPlace = {}): MirrorSettings {
  const problems: Problem[] = []
  const ms = (key: string, text: string) => took(problems, parseDurationMs(text, `mirror.${key}`), 0)
  const bytes = (key: string, text: string | number) => took(problems, wholeNumber(text, `mirror.${key}`), 0)
  const at = (port: number) => addressAt(place.nodeAddress, port)
  const [first = 0] = config.ports
  const filters = took(problems, filtersOf({ registries: config.registries, patterns: config.filters }, 'mirror'), undefined)
  const certificates = place.peerCertificateDirectory
  const settings: MirrorSettings = {
    dataPlane: config.dataPlane,
    registryAddresses: config.ports.map(at),
    peerPort: first,
    peerTlsAddress: certificates === undefined || config.peerTransport === 'http' ? undefined : at(config.peerPort),
    routerAddress: at(config.routerPort),
    metricsAddress: at(config.metricsPort),
    debugWebEnabled: config.debugWebEnabled,
    containerdSocket: config.containerdSock,
    containerdNamespace: config.containerdNamespace,
    containerdContentPath: config.containerdContentPath,
    containerdRegistryConfigPath: config.containerdRegistryConfigPath,
    dataDirectory: config.persistence.enabled ? config.persistence.path : '',
    filters: filters ?? { registries: undefined, patterns: [] },
    plainRegistries: plainOf(config.registries),
    mirrorResolveTimeoutMs: ms('mirrorResolveTimeout', config.mirrorResolveTimeout),
    mirrorResolveRetries: config.mirrorResolveRetries,
    bootstrap: bootstrapOf(config.bootstrapKind, place),
    tags: config.tags,
    allowFrom: config.allowFrom,
    peerTransport: config.peerTransport,
    peerCertificateDirectory: certificates,
    relay: {
      enabled: config.relay.enabled,
      holdMs: ms('relay.hold', config.relay.hold),
      settleMs: ms('relay.settle', config.relay.settle),
    },
    verifyBufferBytes: bytes('verifyBufferBytes', config.verifyBufferBytes),
    quarantineMs: ms('quarantine', config.quarantine),
    stallTimeoutMs: ms('stallTimeout', config.stallTimeout),
    headerTimeoutMs: ms('headerTimeout', config.headerTimeout),
    uploadLimit: bytes('uploadLimit', config.uploadLimit),
    zone: config.zone,
    ownZone: place.zone ?? '',
    readyWhenAlone: config.readyWhenAlone,
    basicAuth: place.basicAuth,
    basicAuthTo: 'certified',
  }
  if (problems.length > 0) throw new InputError(problems)
  return settings
}

type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem }
type ReadAll<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] }

function took<T, Standard>(problems: Problem[], read: Read<T> | ReadAll<T>, standard: Standard): T | Standard {
  if (read.ok) return read.value
  problems.push(...('problem' in read ? [read.problem] : read.problems))
  return standard
}

function addressAt(host: string | undefined, port: number): string {
  if (host === undefined || host === '') return `:${port}`
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}

function bootstrapOf(kind: MirrorConfig['bootstrapKind'], place: MirrorPlace): BootstrapSettings {
  return {
    kind,
    ...(place.peersFile === undefined ? {} : { file: place.peersFile }),
    ...(place.peersDomain === undefined ? {} : { dnsDomain: place.peersDomain }),
  }
}

/** What is left out, or every entry that is wrong. */
export function filtersOf(
  given: { readonly registries: readonly string[]; readonly patterns: readonly string[] },
  where: string,
): ReadAll<RegistryFilters> {
  const problems: Problem[] = []
  const registries = given.registries.map((text, index) =>
    took(problems, parseMirroredRegistry(text, `${where}.registries[${index}]`), wildcard),
  )
  const wildcards = given.registries.filter(text => text === wildcard || text === '*')
  if (wildcards.length > 1)
    problems.push({
      code: 'registry-url',
      where: `${where}.registries`,
      found: wildcards.join(', '),
      expected: `${wildcard} once at most`,
    })
  const patterns = given.patterns
    .map((text, index) => took(problems, parsePattern(text, `${where}.filters[${index}]`), undefined))
    .filter((pattern): pattern is Pattern => pattern !== undefined)
  if (problems.length > 0) return { ok: false, problems }
  const hosts = registries.flatMap(registry => (registry === wildcard ? [] : [registry.host]))
  const isAll = hosts.length < registries.length || registries.length === 0
  return { ok: true, value: { registries: isAll ? undefined : new Set(hosts), patterns } }
}

/** Hosts of those that are named with `http://`. */
export function plainOf(registries: readonly string[]): ReadonlySet<string> {
  const parsed = registries.map(text => parseMirroredRegistry(text)).flatMap(read => (read.ok ? [read.value] : []))
  return new Set(parsed.flatMap(registry => (registry !== wildcard && registry.scheme === 'http' ? [registry.host] : [])))
}

/** Characters of the probe, and how long it may take. */
const probeLength = 4_096
const slowestProbeMs = 50

/** Patterns that take too long on a long name. `elapsedMs` is a clock's. */
export function slowPatterns({ patterns }: RegistryFilters, elapsedMs: () => number, where: string): readonly Problem[] {
  const probe = `docker.io/${'a/'.repeat((probeLength - 10) / 2)}`
  return patterns.flatMap((pattern): Problem[] => {
    const startMs = elapsedMs()
    pattern.isFoundIn(probe)
    const tookMs = elapsedMs() - startMs
    if (tookMs <= slowestProbeMs) return []
    return [
      { code: 'pattern-slow', where, found: pattern.source, expected: `a pattern that takes less than ${slowestProbeMs} ms` },
    ]
  })
}

/** Addresses that cannot be listened on. */
export function addressProblems(settings: MirrorSettings): readonly Problem[] {
  const named = [
    ...settings.registryAddresses.map(text => ['registry-addr', text] as const),
    ['router-addr', settings.routerAddress] as const,
    ['metrics-addr', settings.metricsAddress] as const,
    ...(settings.peerTlsAddress === undefined ? [] : [['peer-addr', settings.peerTlsAddress] as const]),
  ]
  return named.flatMap(([flag, text]) => {
    const parsed = parseListenAddress(text, `--${flag}`)
    return parsed.ok ? [] : [parsed.problem]
  })
}

/**
 * Settings by which no other node can get anything from this one: only the node itself may ask on the port for containerd, and peers have no
 * other. To let in whoever is a peer would let in everybody: anybody who reaches the router's port is one.
 */
export function givingProblems({
  allowFrom,
  peerTransport,
  peerTlsAddress,
  peerCertificateDirectory,
}: Pick<MirrorSettings, 'allowFrom' | 'peerTransport' | 'peerTlsAddress' | 'peerCertificateDirectory'>): readonly Problem[] {
  if (allowFrom !== 'node') return []
  const instead = '"any" or the networks of the nodes'
  const problem = (expected: string): readonly Problem[] => [{ code: 'flag-value', where: 'allowFrom', found: 'node', expected }]
  if (peerTransport === 'http')
    return problem(`${instead} with peerTransport: http, since other nodes ask where containerd does; or peerTransport: auto`)
  if (peerTlsAddress !== undefined && peerCertificateDirectory !== undefined) return []
  return problem(`${instead}, or --peer-cert-dir, so that other nodes have a port of their own with mutual TLS`)
}
