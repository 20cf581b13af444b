// Whether containerd asks us, judged by the files it reads: those that it takes for none, ports nobody listens on, two who write. Pure.
import { readHosts } from './existing-hosts.ts'

/** A file below containerd's directory of hosts files. */
export interface HostsFileFact {
  /** `ghcr.io/hosts.toml`, `_backup/ghcr.io/hosts.toml` */
  readonly path: string
  readonly content: string
}

interface HostsFinding {
  readonly reason: 'unreadable' | 'port-not-served' | 'not-asked' | 'two-writers' | 'nothing-configured'
  readonly path: string
  readonly message: string
}

export interface ServedPorts {
  /** Addresses of this node, IPv6 without brackets. */
  readonly addresses: readonly string[]
  readonly ports: readonly number[]
  /** Hosts of the registries that are mirrored; left out: all. What others ask is nobody's business here. */
  readonly registries?: ReadonlySet<string> | undefined
}

/**
 * What is wrong with the directory for a mirror that listens on `served`. Files of the backup and what is kept aside are not looked at.
 */
export function checkHostsFiles(files: readonly HostsFileFact[], served: ServedPorts): readonly HostsFinding[] {
  const live = files.filter(({ path }) => path.endsWith('/hosts.toml') && !/^(_backup|_kept)\//.test(path))
  if (live.length === 0)
    return [{ reason: 'nothing-configured', path: '', message: 'there is no hosts.toml: containerd asks the registries alone' }]
  const judged = live.filter(({ path }) => isMirrored(directoryOf(path), served))
  return [...judged.flatMap(file => fileFindings(file, served)), ...unconfigured(live, served), ...writers(files)]
}

const standard = '_default'
const directoryOf = (path: string): string => path.split('/', 1)[0] ?? ''

/** containerd's two spellings of a registry's directory. */
const spellings = (registry: string): readonly string[] => [registry, registry.replace(/:([0-9]+)$/, '_$1_')]

function isMirrored(directory: string, { registries }: ServedPorts): boolean {
  return registries === undefined || [...registries].some(registry => spellings(registry).includes(directory))
}

/** Mirrored registries without any file: theirs or that of all others. */
function unconfigured(live: readonly HostsFileFact[], { registries }: ServedPorts): readonly HostsFinding[] {
  const there = new Set(live.map(({ path }) => directoryOf(path)))
  if (there.has(standard)) return []
  return [...(registries ?? [])]
    .filter(registry => !spellings(registry).some(name => there.has(name)))
    .map(registry => ({
      reason: 'not-asked',
      path: registry,
      message: `there is no hosts.toml for ${registry}: containerd asks the registry alone`,
    }))
}

function fileFindings({ path, content }: HostsFileFact, { addresses, ports }: ServedPorts): readonly HostsFinding[] {
  const read = readHosts(content)
  if (!read.ok)
    return [{ reason: 'unreadable', path, message: `containerd takes it for none and asks the registry: ${read.why}` }]
  const hosts = read.file.hosts.flatMap(({ url }) => {
    const parsed = URL.parse(url.includes('://') ? url : `https://${url}`)
    return parsed === null ? [] : [{ host: parsed.hostname.replace(/^\[|\]$/g, ''), port: portOf(parsed) }]
  })
  const own = hosts.filter(({ host }) => addresses.includes(host) || isLoopback(host))
  const wrong = own.filter(({ port }) => !ports.includes(port))
  const served = `this node's mirror listens on ${ports.join(', ')}`
  if (own.length === 0) return [{ reason: 'not-asked', path, message: `it names no mirror of this node: ${served}` }]
  if (wrong.length < own.length) return []
  return wrong.map(({ host, port }) => ({
    reason: 'port-not-served',
    path,
    message: `it names ${host}:${port}, where nobody listens: ${served}`,
  }))
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')

const portOf = ({ port, protocol }: URL): number => (port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port))

/** Talos writes `host_port_`, others `host:port`: containerd reads the first and never sees the second. */
function writers(files: readonly HostsFileFact[]): readonly HostsFinding[] {
  const directories = new Set(files.map(({ path }) => path.split('/', 1)[0] ?? ''))
  return [...directories].flatMap((name): readonly HostsFinding[] => {
    const match = /^(.+):([0-9]+)$/.exec(name)
    const other = match === null ? undefined : `${match[1]}_${match[2]}_`
    if (other === undefined || !directories.has(other)) return []
    const message = `${other} is there, too, and wins: two write this directory (Talos and the agent: nodeConfiguration.mode: none)`
    return [{ reason: 'two-writers', path: name, message }]
  })
}
