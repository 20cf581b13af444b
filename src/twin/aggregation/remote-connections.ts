// Connections to API servers behind the twin: one pool for each way of trusting them.
import { Agent } from 'undici'
import type { KeyPair } from '../authority.ts'
import { textAt } from '../json-value.ts'

export class RemoteConnections {
  readonly #agents = new Map<string, Agent>()
  readonly #certificate: () => KeyPair | undefined

  /** `certificate` is what the twin shows itself with. */
  constructor(certificate: () => KeyPair | undefined = () => undefined) {
    this.#certificate = certificate
  }

  /** The pool for a `caBundle` (base64 of PEM) and `insecureSkipTLSVerify` in `trust`, and the name in the certificate. */
  agentFor(trust: unknown, serverName: string | undefined): Agent {
    const authority = Buffer.from(textAt(trust, 'caBundle') ?? '', 'base64').toString()
    const isInsecure = typeof trust === 'object' && trust !== null && Reflect.get(trust, 'insecureSkipTLSVerify') === true
    const key = JSON.stringify([serverName, authority, isInsecure])
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const own = this.#certificate()
    const agent = new Agent({
      // The caller has a limit of its own; a watch has none.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        ...(authority === '' ? {} : { ca: authority }),
        ...(serverName === undefined ? {} : { servername: serverName }),
        ...(isInsecure ? { rejectUnauthorized: false } : {}),
        ...(own === undefined ? {} : { cert: own.certificate, key: own.key }),
      },
    })
    this.#agents.set(key, agent)
    return agent
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map(agent => agent.destroy()))
  }
}
