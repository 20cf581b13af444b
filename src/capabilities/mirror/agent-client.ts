// Asks one agent for images beforehand, with mutual TLS. An agent is known by its certificate, wherever it answers.

import * as z from 'zod'
import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import type { PeerIdentity } from './contract.ts'
import { agentTlsName, type PrefetchState, prefetchPath, prefetchStates } from './prefetch.ts'

const connectMs = 3_000
/** Bytes of an answer: 64 images with a message each. */
const longestAnswer = 131_072
const mostConnections = 1

/** The answer, with 202: one entry for each image, in the order of the request. */
const prefetchAnswer = z.strictObject({
  images: z.array(z.strictObject({ image: z.string(), state: z.enum(prefetchStates), message: z.string().optional() })),
})

/** Without a guard of addresses: nodes have private ones, and who answers has to show the certificate of an agent. */
export class AgentClient implements AsyncDisposable {
  readonly #clock: Clock
  readonly #identity: () => PeerIdentity | undefined
  #agent: { readonly identity: PeerIdentity; readonly http: OutgoingHttp } | undefined

  /** `identity` is asked before each request: certificates are renewed. */
  constructor(options: { readonly clock: Clock; readonly identity: () => PeerIdentity | undefined }) {
    this.#clock = options.clock
    this.#identity = options.identity
  }

  /** How each image stands there. @throws Error where no agent answers as it should; `signal.reason` */
  async ask(
    { address, port }: { readonly address: string; readonly port: number },
    images: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly PrefetchState[]> {
    const host = address.includes(':') ? `[${address}]` : address
    const { status, body } = await this.#http().ask({
      url: `https://${host}:${port}${prefetchPath}`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ images }),
      mostBytes: longestAnswer,
      signal,
    })
    const text = body.toString('utf8')
    if (status !== 202) throw new Error(`answered ${status}: ${text.slice(0, 200)}`)
    return prefetchAnswer.parse(JSON.parse(text)).images
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.http[Symbol.asyncDispose]()
  }

  #http(): OutgoingHttp {
    const identity = this.#identity()
    if (identity === undefined) throw new Error('there is no certificate for agents yet')
    if (this.#agent?.identity === identity) return this.#agent.http
    const before = this.#agent?.http
    const { ca, certificate, key } = identity
    const http = new OutgoingHttp({
      clock: this.#clock,
      connectMs,
      mostConnections,
      keepAliveMs: 1_000,
      tls: { authority: ca, certificate, key, serverName: agentTlsName },
    })
    this.#agent = { identity, http }
    // Its requests go on to their ends; how that goes is their callers' affair.
    void before?.close()
    return http
  }
}
