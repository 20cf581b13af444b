// Services of the twin that answer triggers: one server on loopback, opened when somebody dials the first of them. A twin reaches nothing else.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { listAt, numberAt } from '#kube/objects/object-fields.ts'
import { closed, listening } from '#kube/server/listening.ts'
import type { ClusterAccess } from '../access.ts'
import type { HostAndPort } from '../kubelet-servers/kubelet-servers.ts'
import { answerAt, readSeries, sourceAnnotation } from './source-series.ts'

const loopback = '127.0.0.1'

export class SourceServer implements AsyncDisposable {
  readonly #access: ClusterAccess
  readonly #clock: Clock
  readonly #beganMs: number
  #isClosed = false
  #opened: Promise<{ readonly server: Server; readonly port: number }> | undefined

  constructor({ access, clock }: { readonly access: ClusterAccess; readonly clock: Clock }) {
    this.#access = access
    this.#clock = clock
    this.#beganMs = clock.now()
  }

  /** Where on this host the Service answers that the cluster calls `host`. @throws Error where there is none that says what it answers */
  async dial(host: string, port: number): Promise<HostAndPort> {
    if (this.#saidBy(host, port) === undefined)
      throw new Error(`the twin has no source at ${host}:${port}: annotate its Service with ${sourceAnnotation}`)
    if (this.#isClosed) throw new Error('the twin has ended')
    this.#opened ??= this.#open()
    return { host: loopback, port: (await this.#opened).port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    if (this.#opened === undefined) return
    const { server } = await this.#opened
    server.closeAllConnections()
    await closed(server)
  }

  /** The annotation of the Service that is called `name.namespace`, `name.namespace.svc` or with the cluster's domain behind that. */
  #saidBy(host: string, port: number): string | undefined {
    const [, name, namespace] = /^([^.]+)\.([^.]+)(?:\.svc(?:\.cluster\.local)?)?$/.exec(host) ?? []
    if (name === undefined || namespace === undefined) return undefined
    const service = this.#access.get('services', namespace, name)
    if (!listAt(service, 'spec', 'ports').some(one => numberAt(one, 'port') === port)) return undefined
    return service?.metadata.annotations?.[sourceAnnotation]
  }

  async #open() {
    const server = createServer((request, response) => this.#answer(request, response))
    return { server, port: await listening(server, { port: 0, host: loopback }) }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const say = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    try {
      const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'unknown'}`)
      const said = this.#saidBy(url.hostname, Number(url.port) || 80)
      const nowMs = this.#clock.now()
      const moment = { nowMs, elapsedMs: Math.max(0, nowMs - this.#beganMs) }
      const answer = said === undefined ? undefined : answerAt(readSeries(said), url, moment)
      if (answer === undefined) say(404, { error: 'nothing is here' })
      else say(200, answer)
    } catch (error) {
      say(500, { error: messageOf(error) })
    }
  }
}
