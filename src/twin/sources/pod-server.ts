// Pods of the twin that answer requests: each has a server on loopback, opened when somebody dials the first time.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { closed, listening } from '#kube/server/listening.ts'
import type { ClusterAccess } from '../access.ts'
import { podAnswer } from '../containers/pod-http.ts'
import type { HostAndPort } from '../kubelet-servers/kubelet-servers.ts'

const loopback = '127.0.0.1'
/** Servers that are open; the one that was opened first goes first. */
const mostServers = 64

interface Opened {
  readonly server: Server
  readonly port: number
  readonly uid: string
}

export class PodServers implements AsyncDisposable {
  readonly #access: ClusterAccess
  readonly #opened = new Map<string, Promise<Opened>>()
  #isClosed = false

  constructor({ access }: { readonly access: ClusterAccess }) {
    this.#access = access
  }

  /** Where on this host the pod answers that has the address. @throws Error where no pod that is ready has it */
  async dial(address: string): Promise<HostAndPort> {
    const pod = this.#podAt(address)
    if (this.#isClosed || pod === undefined) throw new Error(`no pod of the twin that is ready has the address ${address}`)
    const known = await this.#opened.get(address)
    if (known?.uid === pod.metadata.uid) return { host: loopback, port: known?.port ?? 0 }
    const opening = this.#open(pod)
    this.#opened.set(address, opening)
    if (known !== undefined) end(known)
    if (this.#opened.size > mostServers) await this.#closeFirst()
    return { host: loopback, port: (await opening).port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    const all = await Promise.all(this.#opened.values())
    this.#opened.clear()
    for (const { server } of all) {
      server.closeAllConnections()
      await closed(server)
    }
  }

  #podAt(address: string): KubeObject | undefined {
    for (const pod of this.#access.list('pods')) if (textAt(pod, 'status', 'podIP') === address && isReady(pod)) return pod
    return undefined
  }

  async #closeFirst(): Promise<void> {
    const [first] = this.#opened
    if (first === undefined) return
    this.#opened.delete(first[0])
    end(await first[1])
  }

  async #open(pod: KubeObject): Promise<Opened> {
    const server = createServer((request, response) => answer(pod, request, response))
    return { server, port: await listening(server, { port: 0, host: loopback }), uid: pod.metadata.uid ?? '' }
  }
}

function end({ server }: Opened): void {
  server.closeAllConnections()
  server.close()
}

function isReady(pod: KubeObject): boolean {
  return listAt(pod, 'status', 'conditions').some(one => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True')
}

/** At an address nobody says which port is meant: the first container answers. */
function answer(pod: KubeObject, request: IncomingMessage, response: ServerResponse): void {
  const [first] = listAt(pod, 'spec', 'containers')
  const port = numberAt(listAt(first, 'ports')[0], 'containerPort') ?? 80
  const { method = 'GET', url: path = '/', headers } = request
  request.resume().on('end', () => {
    const said = podAnswer({ pod, container: textAt(first, 'name') ?? '', port }, { method, path, headers })
    response.writeHead(said.status, said.headers).end(said.body)
  })
}
