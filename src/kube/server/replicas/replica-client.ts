// One replica of a process asks another: over TLS by the authority that they share, with the token of their own account.
import type { Dial } from '../../client/dispatcher.ts'
import { OutgoingHttp } from '../../client/outgoing-http.ts'
import type { Clock } from '../../clock.ts'
import type { Replica } from './ready-replicas.ts'

interface ReplicaTrust {
  /** PEM of the shared authority, old and new while it is exchanged. */
  readonly authority: string
  /** What the certificate of every replica names. */
  readonly serverName: string
}

interface ReplicaClientOptions {
  readonly clock: Clock
  readonly token: () => Promise<string | undefined>
  /** Another object than before is another trust: connections begin anew. Undefined while there is no certificate yet. */
  readonly trust: () => ReplicaTrust | undefined
  readonly dial?: Dial | undefined
}

const connectMs = 2_000
const answerMs = 5_000
/** Longer than the time between two questions, so that a connection serves all of them. */
const keepAliveMs = 60_000

export class ReplicaClient implements AsyncDisposable {
  readonly #options: ReplicaClientOptions
  #http: { readonly trust: ReplicaTrust; readonly http: OutgoingHttp } | undefined

  constructor(options: ReplicaClientOptions) {
    this.#options = options
  }

  /** The answer, whatever its status. @throws `signal.reason`; Error where none came whole and in time, or we have no token or no certificate */
  async ask(
    { address, port }: Replica,
    path: string,
    { mostBytes, signal }: { readonly mostBytes: number; readonly signal: AbortSignal },
  ): Promise<{ readonly status: number; readonly body: Buffer }> {
    const token = await this.#options.token()
    if (token === undefined) throw new Error('we have no token to show')
    const host = address.includes(':') ? `[${address}]` : address
    const headers = { authorization: `Bearer ${token}` }
    return await this.#current().ask({ url: `https://${host}:${port}${path}`, headers, mostBytes, signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.http[Symbol.asyncDispose]()
    this.#http = undefined
  }

  #current(): OutgoingHttp {
    const { clock, dial } = this.#options
    const trust = this.#options.trust()
    if (trust === undefined) throw new Error('there is no certificate yet to judge replicas by')
    if (this.#http?.trust === trust) return this.#http.http
    const old = this.#http
    const http = new OutgoingHttp({ clock, connectMs, answerMs, mostConnections: 1, keepAliveMs, tls: trust, dial })
    this.#http = { trust, http }
    // What is under way ends as it began.
    void old?.http.close()
    return http
  }
}
