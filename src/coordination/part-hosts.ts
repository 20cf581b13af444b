// Which process hosts which parts: what a part may say of itself so that somebody starts it. A part that nobody would start is refused by
// name when rosters and manifests are made; it is never left out.
import type { Capability, Listener, Part, PartOf, Process } from './capability.ts'

interface Host {
  /** The command that starts it. */
  readonly command: string
  readonly presences: readonly Part<unknown>['presence'][]
  readonly trusts: readonly string[]
  readonly listeners: readonly Listener['kind'][]
  /** Names and numbers of ports that the process has for itself, where its pods have a Service. */
  readonly ownPorts?: { readonly names: readonly string[]; readonly numbers: readonly number[] }
}

/** Ports of our processes that are no capability's. */
export const processPorts = { health: 8081, webhooks: 9443, dashboard: 8080, aggregated: 6443 } as const

/** What pods on nodes are of: each of these is a pod of its own with an account of its own. */
export const nodeTrusts = ['agent', 'agent-mirror', 'agent-nfs', 'nfs-controller'] as const

const hosts: Readonly<Record<Process, Host>> = {
  controller: {
    command: 'ballast controller',
    presences: ['leading', 'always'],
    trusts: ['core'],
    listeners: ['webhook'],
  },
  apiserver: {
    command: 'ballast apiserver',
    presences: ['leading', 'always'],
    trusts: ['edge'],
    listeners: ['api-service', 'port'],
    ownPorts: {
      names: ['health', 'metrics', 'dashboard', 'aggregated'],
      numbers: [processPorts.health, processPorts.dashboard, processPorts.aggregated],
    },
  },
  gateway: {
    command: 'ballast gateway',
    presences: ['always'],
    trusts: ['gateway'],
    listeners: ['port'],
    ownPorts: { names: ['health', 'metrics'], numbers: [processPorts.health] },
  },
  node: {
    command: 'ballast agent',
    presences: ['always'],
    trusts: nodeTrusts,
    listeners: ['port', 'socket'],
  },
}

/** What nobody would start, with every reason. */
class PartRefusedError extends Error {
  override readonly name = 'PartRefusedError'
}

/** @throws PartRefusedError naming each part of `capabilities` that no process would run as it asks, with the reason */
export function assertHosted(capabilities: readonly Pick<Capability, 'name' | 'parts'>[]): void {
  const refusals = capabilities.flatMap(({ name, parts }) =>
    parts.flatMap(part => refusalsOf(part).map(why => `${name}, part ${partName(part)}: ${why}`)),
  )
  const all = [...refusals, ...collisions(capabilities)]
  if (all.length > 0) throw new PartRefusedError(all.join('; '))
}

/** The name of a part beside others of its capability: `controller`, `controller-always`, `node-mirror`. */
export function partName({ process, role, presence }: Pick<Part<unknown>, 'process' | 'role' | 'presence'>): string {
  return [process, ...(role === undefined ? [] : [role]), ...(presence === 'always' ? ['always'] : [])].join('-')
}

function refusalsOf(part: Part<unknown>): readonly string[] {
  const host = hostOf(part.process)
  if (host === undefined)
    return [`no process hosts parts of ${JSON.stringify(part.process)}, only ${Object.keys(hosts).join(', ')}`]
  const { command, presences, trusts } = host
  return [
    ...(presences.includes(part.presence)
      ? []
      : [`\`${command}\` elects no leader, so presence ${part.presence} has no host there: expected ${presences.join(' or ')}`]),
    ...(trusts.includes(part.trust)
      ? []
      : [`trust ${part.trust} does not fit \`${command}\`, which hosts ${trusts.join(' and ')}`]),
    ...(part.host !== undefined && part.process !== 'node' ? [`\`${command}\` has nothing of its machine to give`] : []),
    ...part.listeners.flatMap(listener => listenerRefusals(part, listener, host)),
  ]
}

function hostOf(process: string): Host | undefined {
  return Object.entries(hosts).find(([name]) => name === process)?.[1]
}

function listenerRefusals(part: Part<unknown>, listener: Listener, { command, listeners, ownPorts }: Host): readonly string[] {
  if (!listeners.includes(listener.kind))
    return [`\`${command}\` cannot serve a listener of kind ${listener.kind}, only ${listeners.join(' and ')}`]
  if (listener.kind === 'api-service' && part.presence !== 'always')
    return [`APIService ${listener.version}.${listener.group} is asked of every replica: expected presence always`]
  if (listener.kind !== 'port' || ownPorts === undefined) return []
  return [
    ...(listener.exposure === 'host' ? [`port ${listener.name} cannot be the host's: pods of \`${command}\` have no host`] : []),
    ...(portName.test(listener.name)
      ? []
      : [`port ${listener.name}: expected a name of at most 15 lower-case letters, digits and "-"`]),
    ...(ownPorts.names.includes(listener.name) || ownPorts.numbers.includes(listener.port)
      ? [`port ${listener.name} (${listener.port}) is the process's own`]
      : []),
  ]
}

/** What Kubernetes takes as the name of a container's port. */
const portName = /^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/

/** Parts of one pod that would listen at one place, or serve one API. */
function collisions(capabilities: readonly Pick<Capability, 'name' | 'parts'>[]): readonly string[] {
  const holders = new Map<string, string>()
  const found: string[] = []
  for (const { name, parts } of capabilities)
    for (const part of parts)
      for (const listener of part.listeners)
        for (const place of placesOf(part, listener)) {
          const here = `${name}, part ${partName(part)}`
          const other = holders.get(place)
          if (other === undefined) holders.set(place, here)
          else found.push(`${here}: ${place} is taken by ${other}`)
        }
  return found
}

function placesOf({ process }: Part<unknown>, listener: Listener): readonly string[] {
  if (listener.kind === 'api-service') return [`APIService ${listener.version}.${listener.group}`]
  if (listener.kind !== 'port' || process === 'node') return []
  return [`port ${listener.port} of ${process}`, `port name ${listener.name} of ${process}`]
}

const picked: { readonly [P in Process]: (part: Part<unknown>) => PartOf<P, unknown> | undefined } = {
  controller: part => (part.process === 'controller' ? part : undefined),
  apiserver: part => (part.process === 'apiserver' ? part : undefined),
  gateway: part => (part.process === 'gateway' ? part : undefined),
  node: part => (part.process === 'node' ? part : undefined),
}

/** The parts of one process, in order. */
export function partsIn<P extends Process>(process: P, { parts }: Pick<Capability, 'parts'>): readonly PartOf<P, unknown>[] {
  return parts.flatMap(part => picked[process](part) ?? [])
}

/** The port of the pod, and of the Service of `ballast apiserver`, where APIs are served. */
export const aggregatedPortName = 'aggregated'

/** The EndpointSlice of the Service that leads to whoever leads `ballast apiserver`. */
export const leaderSlice = 'ballast-apiserver-leader'

/** Ports of the pod that whoever leads alone listens on. */
export function leadingPorts(
  parts: readonly Part<unknown>[],
): readonly Pick<Extract<Listener, { kind: 'port' }>, 'name' | 'port' | 'protocol'>[] {
  return parts
    .filter(({ presence }) => presence === 'leading')
    .flatMap(({ listeners }) => listeners.filter(listener => listener.kind === 'port'))
    .filter(({ exposure }) => exposure === 'pod')
    .map(({ name, port, protocol }) => ({ name, port, protocol }))
}

/** The APIs of a group and version that the parts say they serve. */
export function apiServicesOf(parts: readonly Part<unknown>[]): readonly Extract<Listener, { kind: 'api-service' }>[] {
  return parts.flatMap(({ listeners }) => listeners.filter(listener => listener.kind === 'api-service'))
}
