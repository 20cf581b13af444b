// The API server as the page of this process asks it: of a twin that comes and goes, or of a dump where there is none. Who may look at
// either may do all with it, so that rights are not asked for over a wire.
import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'

const reviewPath = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'

export class PageTransport implements Transport {
  readonly #absent: string
  #server: Transport | undefined

  /** `absent` says why nobody answers, while nobody does. */
  constructor(absent: string) {
    this.#absent = absent
  }

  /** From now on this one answers, or nobody. It stays its maker's: closing this one does not close it. */
  show(server: Transport | undefined): void {
    this.#server = server
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    if (request.verb === 'POST' && request.path === reviewPath) return allowed
    return (await this.#server?.request(request)) ?? answerOf(503, this.#refusal())
  }

  async stream(request: TransportRequest) {
    const served = await this.#server?.stream(request)
    if (served !== undefined) return served
    const { status, headers, body } = answerOf(503, this.#refusal())
    const chunks = (async function* () {
      yield body
    })()
    return { status, headers, chunks }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #refusal(): object {
    return {
      apiVersion: 'v1',
      kind: 'Status',
      status: 'Failure',
      reason: 'ServiceUnavailable',
      message: this.#absent,
      code: 503,
    }
  }
}

function answerOf(status: number, content: object): TransportResponse {
  const body = new TextEncoder().encode(JSON.stringify(content))
  return { status, headers: { 'content-type': 'application/json' }, body }
}

const allowed = answerOf(201, {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SelfSubjectAccessReview',
  metadata: {},
  spec: {},
  status: { allowed: true },
})
