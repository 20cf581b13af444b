// An API server with one plan: merges patches under the resourceVersion that they name, as a real one does, and lets others change it.
import type { RebalancePlan } from '#coordination/api.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import { applyMergePatch } from '#kube/objects/merge-patch.ts'
import type { TransportRequest, TransportResponse } from '#kube/client/transport.ts'

interface Written {
  readonly body: unknown
  /** As it was when it was written over. */
  readonly before: RebalancePlan
}

export class PlanServer {
  readonly api: Api
  readonly written: Written[] = []
  /** All requests but Events, in order. */
  readonly asked: TransportRequest[] = []
  readonly events: unknown[] = []
  /** The next write is done, and its answer is lost. */
  losesAnswer = false
  /** What happens on the way to the server. */
  meanwhile: () => void = () => undefined
  #plan: RebalancePlan
  #version = 1

  constructor(plan: RebalancePlan) {
    this.#plan = plan
    this.change(() => plan)
    const transport = {
      request: (request: TransportRequest) => this.#answer(request),
      stream: () => Promise.reject(new Error('no streams here')),
      close: async () => undefined,
    }
    this.api = openApi(transport, { clock: new VirtualClock(0), userAgent: 'test' })
  }

  get plan(): RebalancePlan {
    return this.#plan
  }

  /** What somebody else does to it. */
  change(change: (plan: RebalancePlan) => RebalancePlan): void {
    const changed = change(this.#plan)
    this.#plan = { ...changed, metadata: { ...changed.metadata, resourceVersion: String(++this.#version) } }
  }

  async #answer(request: TransportRequest): Promise<TransportResponse> {
    const body: unknown = JSON.parse(String(request.body))
    if (request.path.endsWith('/events')) {
      this.events.push(body)
      return answered(201, body)
    }
    this.meanwhile()
    this.asked.push(request)
    const before = this.#plan
    const wanted = versionIn(body)
    if (wanted !== undefined && wanted !== before.metadata.resourceVersion) {
      const failure = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 409, reason: 'Conflict', message: 'modified' }
      return answered(409, failure)
    }
    // What comes out has the shape of a plan: the bodies are those of actions.
    this.change(plan => applyMergePatch(plan, body) as RebalancePlan)
    this.written.push({ body, before })
    if (this.losesAnswer) {
      this.losesAnswer = false
      throw new ConnectionError('connection reset')
    }
    return answered(200, this.#plan)
  }
}

function versionIn(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('metadata' in body)) return undefined
  const { metadata } = body
  return typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata ? metadata.resourceVersion : undefined
}

function answered(status: number, body: unknown): TransportResponse {
  return { status, headers: {}, body: new TextEncoder().encode(JSON.stringify(body)) }
}
