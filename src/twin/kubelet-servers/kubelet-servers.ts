// The kubelets as servers, for clients that ask each node by itself. One is opened when somebody wants to reach it, or each at once where nodes
// are to say where that is; without either there are no ports and no certificates.
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import type { ClusterAccess } from '../access.ts'
import type { TokenCheck } from '../api/access/authentication.ts'
import type { Authorizer } from '../api/access/authorization.ts'
import type { ApiServer } from '../api/api-server.ts'
import { isUnknown, type KubeletApi, type WholeResponse } from '../api/subresources/kubelet-api.ts'
import type { Authority } from '../authority.ts'
import { kubeletWriter } from '../components/component.ts'
import { fieldsAt, isSame, itemsAt, numberAt, textAt } from '../json-value.ts'
import { refusedByKubelet } from './kubelet-access.ts'
import { type AskedKubelet, KubeletServer } from './kubelet-server.ts'

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

interface KubeletServersOptions {
  readonly server: ApiServer
  readonly access: ClusterAccess
  readonly api: KubeletApi
  readonly authorizer: Authorizer
  readonly checkToken: TokenCheck
  /** Whether a node's kubelet runs; undefined where none is simulated. */
  readonly isAlive: ((node: string) => boolean) | undefined
  readonly authority: () => Promise<Authority>
}

const standardPort = 10_250

/** Nobody is at an address, as connecting to it says. */
class Unreachable extends Error {
  override readonly name = 'Unreachable'
  readonly code: 'EHOSTUNREACH' | 'ECONNREFUSED' | 'ETIMEDOUT'
  constructor(code: Unreachable['code'], { host, port }: HostAndPort) {
    super(`connect ${code} ${host}:${port}`)
    this.code = code
  }
}

interface Opened {
  readonly uid: string | undefined
  /** What its certificate names. */
  hosts: readonly string[]
  server: Promise<KubeletServer>
}

export class KubeletServers implements AsyncDisposable {
  readonly #options: KubeletServersOptions
  readonly #opened = new Map<string, Opened>()
  readonly #ending = new Set<Promise<void>>()
  readonly #unsubscribe: () => void
  /** Names of nodes by their addresses and ports; undefined until it is needed again. */
  #byAddress: ReadonlyMap<string, ReadonlyMap<number, string>> | undefined
  #isAnnouncing = false
  #isClosed = false

  constructor(options: KubeletServersOptions) {
    this.#options = options
    this.#unsubscribe = options.access.subscribe('nodes', ({ type, object, previous }) => {
      const name = object.metadata.name
      if (type === 'DELETED') this.#end(name)
      if (type === 'MODIFIED' && !isMoved(object, previous)) return
      this.#byAddress = undefined
      if (type === 'MODIFIED' && this.#opened.has(name)) this.#alone(name, () => this.#open(object))
      if (type !== 'DELETED' && this.#isAnnouncing) this.#alone(name, () => this.#announce(name))
    })
  }

  /**
   * Where on this host the kubelet listens that the cluster has at `host` (an address or name of a node) and `port`.
   * @throws Error with the code that connecting would fail with; for a node that is cut off at once, since a virtual clock stands still meanwhile
   */
  async dial(host: string, port: number): Promise<HostAndPort> {
    const { server, isAlive } = this.#options
    const wanted = { host: host.replace(/^\[|\]$/g, ''), port }
    const ports = this.#addresses().get(wanted.host)
    if (ports === undefined) throw new Unreachable('EHOSTUNREACH', wanted)
    const name = ports.get(port)
    const node = name === undefined ? undefined : server.store.get('nodes', undefined, name)
    if (node === undefined || isAlive === undefined || this.#isClosed) throw new Unreachable('ECONNREFUSED', wanted)
    if (this.#isSilent(node.metadata.name)) throw new Unreachable('ETIMEDOUT', wanted)
    return (await this.#open(node)).address
  }

  /** Every node says in its status from now on that its kubelet is on loopback, and on which port: for clients that are no part of the twin. */
  async announceAll(): Promise<void> {
    this.#isAnnouncing = true
    for (const { metadata } of this.#options.server.store.list('nodes'))
      await this.#guarded(metadata.name, () => this.#announce(metadata.name))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#unsubscribe()
    for (const name of [...this.#opened.keys()]) this.#end(name)
    await Promise.all(this.#ending)
  }

  #addresses(): ReadonlyMap<string, ReadonlyMap<number, string>> {
    if (this.#byAddress !== undefined) return this.#byAddress
    const found = new Map<string, Map<number, string>>()
    for (const node of this.#options.server.store.list('nodes'))
      for (const host of namesOf(node)) {
        const ports = found.get(host) ?? new Map<number, string>()
        found.set(host, ports)
        // Where two nodes say that they are there, the first is reached.
        if (!ports.has(portOf(node))) ports.set(portOf(node), node.metadata.name)
      }
    this.#byAddress = found
    return found
  }

  /** The server of a node that is there, with a certificate for the addresses that it has now. */
  #open(node: KubeObject): Promise<KubeletServer> {
    const { name, uid } = node.metadata
    const hosts = this.#isAnnouncing ? [name, ...announced(node, 0).addresses.map(({ address }) => address)] : namesOf(node)
    const known = this.#opened.get(name)
    if (known !== undefined && known.uid === uid) {
      if (!isSame(known.hosts, hosts)) {
        known.hosts = hosts
        const before = known.server
        known.server = this.#held(async () => {
          const server = await before
          server.setCertificate(await this.#certificate(name, hosts))
          return server
        })
      }
      return known.server
    }
    this.#end(name)
    const opened: Opened = { uid, hosts, server: this.#held(() => this.#start(name, hosts)) }
    this.#opened.set(name, opened)
    // It is tried again by the next who wants it; who waits for this one is told.
    opened.server.catch(() => {
      if (this.#opened.get(name) === opened) this.#opened.delete(name)
    })
    return opened.server
  }

  async #start(node: string, hosts: readonly string[]): Promise<KubeletServer> {
    const { server, authority } = this.#options
    return await KubeletServer.start({
      node,
      authority: (await authority()).certificate,
      certificate: await this.#certificate(node, hosts),
      answer: asked => this.#held(() => this.#answer(node, asked)),
      silence: () => (!this.#isSilent(node) ? undefined : this.#isAnnouncing ? 'wait' : 'break'),
      wire: server.wire,
      onTrouble: server.onTrouble,
    })
  }

  #isSilent(name: string): boolean {
    const { server, isAlive } = this.#options
    const node = server.store.get('nodes', undefined, name)
    return node === undefined || isUnknown(node) || isAlive?.(name) !== true
  }

  async #certificate(node: string, hosts: readonly string[]) {
    return await (await this.#options.authority()).issueServer(`system:node:${node}`, ['system:nodes'], hosts)
  }

  async #answer(name: string, asked: AskedKubelet): Promise<WholeResponse> {
    const { server, api, authorizer, checkToken } = this.#options
    const { method, path, credentials, headers } = asked
    const refused = await refusedByKubelet(
      { method, path, credentials, authorization: headers['authorization'] },
      { node: name, minor: server.minor, authorizer, checkToken },
    )
    if (refused !== undefined) return text(refused.status, refused.body)
    const node: Node | undefined = server.store.get('nodes', undefined, name)
    if (node === undefined) throw new Error('its node went away')
    const page = api.page(node, path, asked)
    return page.status === 404 || method === 'GET' || method === 'HEAD' ? page : text(405, '405: Method Not Allowed')
  }

  async #announce(name: string): Promise<void> {
    const { server, access, isAlive } = this.#options
    const node = server.store.get('nodes', undefined, name)
    if (node === undefined || isAlive === undefined || this.#isClosed) return
    const { address } = await this.#open(node)
    const current = server.store.get('nodes', undefined, name)
    if (current === undefined || current.metadata.uid !== node.metadata.uid || this.#isClosed) return
    const status = { ...fieldsAt(current, 'status'), ...announced(current, address.port) }
    if (isSame(status, current['status'])) return
    access.update('nodes', { ...current, status }, kubeletWriter(name), { subresource: 'status' })
  }

  /** After the write that it follows from is done. */
  #alone(name: string, work: () => Promise<unknown>): void {
    const held = this.#options.server.clock.hold()
    queueMicrotask(() => void this.#guarded(name, work).finally(() => held[Symbol.dispose]()))
  }

  async #guarded(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#options.server.onTrouble({ kind: 'component', where: `the server of kubelet ${name}`, error, count: 1 })
    }
  }

  /** Sockets, keys and clients take real time: a virtual clock waits. */
  async #held<T>(work: () => Promise<T>): Promise<T> {
    using _held = this.#options.server.clock.hold()
    return await work()
  }

  #end(name: string): void {
    const opened = this.#opened.get(name)
    if (opened === undefined) return
    this.#opened.delete(name)
    const ended = opened.server
      // One that could not be started has nothing to close.
      .then(
        server => server.close(),
        () => undefined,
      )
      .finally(() => this.#ending.delete(ended))
    this.#ending.add(ended)
  }
}

function text(status: number, body: string): WholeResponse {
  return { kind: 'whole', status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body }
}

function addressesOf(node: KubeObject) {
  return itemsAt(node, 'status', 'addresses')
}

/** By what a node can be reached: its name, and all of its addresses. */
function namesOf(node: KubeObject): readonly string[] {
  return [...new Set([node.metadata.name, ...addressesOf(node).flatMap(one => textAt(one, 'address') ?? [])])]
}

function portOf(node: KubeObject): number {
  return numberAt(node, 'status', 'daemonEndpoints', 'kubeletEndpoint', 'Port') || standardPort
}

function isMoved(node: KubeObject, previous: KubeObject | undefined): boolean {
  if (previous === undefined || node.metadata.uid !== previous.metadata.uid) return true
  return !isSame(addressesOf(node), addressesOf(previous)) || portOf(node) !== portOf(previous)
}

/** What the status of a node says that is reached on loopback. */
function announced(node: KubeObject, port: number) {
  const own = addressesOf(node).find(({ type }) => type === 'Hostname')
  return {
    addresses: [
      { type: 'InternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: textAt(own, 'address') ?? node.metadata.name },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  }
}
