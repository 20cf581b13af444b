// Asks one agent for images beforehand, with mutual TLS. An agent is known by its certificate, wherever it answers.
import { Agent, request } from 'undici'
import type { Clock } from '#kube/clock.ts'
import type { PeerIdentity } from './contract.ts'
import { agentTlsName, type PrefetchState, prefetchAnswer, prefetchPath } from './prefetch.ts'

const connectTimeoutMs = 3_000
const answerTimeoutMs = 10_000
/** Bytes of an answer: 64 images with a message each. */
const longestAnswer = 131_072
const mostConnections = 1

export class AgentClient implements AsyncDisposable {
  readonly #clock: Clock
  readonly #identity: () => PeerIdentity | undefined
  #agent: { readonly identity: PeerIdentity; readonly dispatcher: Agent } | undefined

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
    const dispatcher = this.#dispatcher()
    const limitMs = connectTimeoutMs + answerTimeoutMs
    const late = new AbortController()
    const cancel = this.#clock.schedule(limitMs, () => late.abort(new Error(`no answer in ${limitMs / 1_000} s`)))
    // What agents do is nothing a virtual clock can see.
    using _held = this.#clock.hold()
    try {
      const host = address.includes(':') ? `[${address}]` : address
      const { statusCode, body } = await request(`https://${host}:${port}${prefetchPath}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ images }),
        dispatcher,
        signal: AbortSignal.any([signal, late.signal]),
      })
      const text = await shortText(body)
      if (statusCode !== 202) throw new Error(`answered ${statusCode}: ${text.slice(0, 200)}`)
      return prefetchAnswer.parse(JSON.parse(text)).images
    } finally {
      cancel()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.dispatcher.destroy()
  }

  #dispatcher(): Agent {
    const identity = this.#identity()
    if (identity === undefined) throw new Error('there is no certificate for agents yet')
    if (this.#agent?.identity === identity) return this.#agent.dispatcher
    const before = this.#agent?.dispatcher
    const { ca, certificate, key } = identity
    const dispatcher = new Agent({
      connections: mostConnections,
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
      keepAliveTimeout: 1_000,
      maxResponseSize: longestAnswer,
      allowH2: false,
      connect: { timeout: connectTimeoutMs, ca, cert: certificate, key, servername: agentTlsName },
    })
    this.#agent = { identity, dispatcher }
    // Its requests go on to their ends; how that goes is their callers' affair.
    void before?.close().catch(() => undefined) // a dispatcher that is closed twice says so
    return dispatcher
  }
}

async function shortText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > longestAnswer) throw new Error(`answered more than ${longestAnswer} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
