// Connections to API servers behind the twin: one pool for each way of trusting them.

import type { Dispatcher } from 'undici'
import { openDispatcher } from '#kube/client/dispatcher.ts'
import type { KeyPair } from '../authority.ts'
import { textAt } from '../json-value.ts'

/** undici's own. */
const connectMs = 10_000

export class RemoteConnections {
  readonly #agents = new Map<string, Dispatcher>()
  readonly #certificate: () => KeyPair | undefined

  /** `certificate` is what the twin shows itself with. */
  constructor(certificate: () => KeyPair | undefined = () => undefined) {
    this.#certificate = certificate
  }

  /** The pool for a `caBundle` (base64 of PEM) and `insecureSkipTLSVerify` in `trust`, and the name in the certificate. */
  agentFor(trust: unknown, serverName: string | undefined): Dispatcher {
    const authority = Buffer.from(textAt(trust, 'caBundle') ?? '', 'base64').toString()
    const isInsecure = typeof trust === 'object' && trust !== null && Reflect.get(trust, 'insecureSkipTLSVerify') === true
    const key = JSON.stringify([serverName, authority, isInsecure])
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const own = this.#certificate()
    const agent = openDispatcher({
      connectMs,
      tls: {
        ...{ authority: authority || undefined, trustsEach: true, serverName, isInsecure },
        ...{ certificate: own?.certificate, key: own?.key },
      },
      // The caller has a limit of its own; a watch has none. By HTTP/2 undici makes one header of several, and so one group of all of a user's.
      pool: { headersTimeout: 0, bodyTimeout: 0, allowH2: false },
    })
    this.#agents.set(key, agent)
    return agent
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map(agent => agent.destroy()))
  }
}
