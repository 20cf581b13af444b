// The part of an API server that keeps permits, with a Lease beside it, and a record of what was written in which order.
import { type Api, openApi } from '#kube/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { ConnectionError } from '#kube/connection-error.ts'
import type { Informer } from '#kube/informer.ts'
import { wholeProjection } from '#kube/projection.ts'
import { Store } from '#kube/store.ts'
import type { TransportRequest, TransportResponse } from '#kube/transport.ts'
import type { DisruptionPermit } from '../api.ts'
import type { Leadership } from '../leadership.ts'
import { startMs } from './scripted-api.ts'

export class PermitServer {
  readonly clock = new VirtualClock(startMs)
  readonly permits = new Map<string, DisruptionPermit>()
  /** `lease`, `create <name>`, `release <name>`, `delete <name>`, in order. */
  readonly writes: string[] = []
  leaseTransitions = 0
  /** False: another holds the Lease. */
  isOurs = true
  /** The next create breaks off: before the permit is stored, or after. */
  breaksOff: 'before' | 'after' | undefined
  #version = 0

  api(): Api {
    const request = async (sent: TransportRequest) => this.#answer(sent)
    return openApi(
      {
        request,
        stream: async sent => {
          const { status, headers, body } = await request(sent)
          return { status, headers, chunks: once(body) }
        },
        close: async () => undefined,
      },
      { clock: this.clock, userAgent: 'test' },
    )
  }

  leadership(): Leadership {
    const { leaseTransitions } = this
    return {
      transitions: leaseTransitions,
      assert: () => {
        if (!this.isOurs) throw new Error('the lease is held by another')
      },
      confirm: async () => {
        if (!this.isOurs) throw new Error('the lease is held by another')
        this.writes.push('lease')
      },
    }
  }

  /** An informer that knows only what is observed: that is enough for what has one writer. */
  informer(): Informer<DisruptionPermit> {
    const store = new Store<DisruptionPermit>({ clock: this.clock, projection: wholeProjection(), onChange: () => undefined })
    return {
      resource: { group: 'ballast.dev', version: 'v1alpha1', resource: 'disruptionpermits' },
      store,
      synced: Promise.resolve(),
      isSynced: true,
      state: 'synced',
      problem: undefined,
      lastEventElapsed: 0,
      counts: { events: 0, skipped: 0, relists: {}, watchRestarts: {} },
      onChange: () => () => undefined,
      observe: object => store.observe(object),
      retryNow: () => undefined,
    }
  }

  #answer({ verb, path, body }: TransportRequest): TransportResponse {
    const [, namespace = '', name = '', subresource] = /\/namespaces\/([^/]+)\/disruptionpermits(?:\/([^/]+))?(?:\/(status))?$/.exec(path) ?? []
    const sent = body === undefined ? undefined : (JSON.parse(String(body)) as DisruptionPermit)
    const key = `${namespace}/${name === '' ? (sent?.metadata.name ?? '') : name}`
    const known = this.permits.get(key)
    if (verb === 'GET' && name !== '')
      return known === undefined ? json(404, { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound', message: path }) : json(200, known)
    if (verb === 'GET') return json(200, { kind: 'DisruptionPermitList', apiVersion: 'ballast.dev/v1alpha1', metadata: { resourceVersion: String(this.#version) }, items: [...this.permits.values()] })
    if (verb === 'POST' && sent !== undefined) {
      const { breaksOff } = this
      this.breaksOff = undefined
      if (breaksOff === 'before') throw new ConnectionError('connection reset')
      this.writes.push(`create ${sent.metadata.name}`)
      const metadata = { ...sent.metadata, uid: `uid-${sent.metadata.name}`, resourceVersion: this.#next(), creationTimestamp: new Date(this.clock.now()).toISOString() }
      const stored = { ...sent, metadata }
      this.permits.set(key, stored)
      if (breaksOff === 'after') throw new ConnectionError('connection reset')
      return json(201, stored)
    }
    if (verb === 'PATCH' && known !== undefined && sent !== undefined && subresource === 'status') {
      this.writes.push(`release ${known.metadata.name}`)
      const stored = { ...known, metadata: { ...known.metadata, resourceVersion: this.#next() }, status: { ...known.status, ...sent.status } }
      this.permits.set(key, stored)
      return json(200, stored)
    }
    if (verb === 'DELETE' && known !== undefined) {
      this.writes.push(`delete ${known.metadata.name}`)
      this.permits.delete(key)
      return json(200, { kind: 'Status', status: 'Success' })
    }
    return json(404, { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound', message: `${verb} ${path}` })
  }

  #next(): string {
    this.#version++
    return String(this.#version)
  }
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}

function json(status: number, body: unknown): TransportResponse {
  return { status, headers: {}, body: new TextEncoder().encode(JSON.stringify(body)) }
}
