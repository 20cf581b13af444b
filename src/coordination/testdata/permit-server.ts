// The part of an API server that keeps permits, with a Lease beside it, and a record of what was written in which order.
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { applyMergePatch } from '#kube/objects/merge-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import type { DisruptionPermit } from '../api.ts'
import type { Leadership } from '../arbiter/leadership.ts'
import { type PermitWatch, permitWatch } from './permit-watch.ts'
import { startMs } from './scripted-api.ts'

export class PermitServer {
  readonly clock = new VirtualClock(startMs)
  readonly permits = new Map<string, DisruptionPermit>()
  /** `lease`, `create <name>`, `drop <name>`, `release <name>`, `delete <name>`, in order. */
  readonly writes: string[] = []
  leaseTransitions = 0
  leaseAnnotations: Readonly<Record<string, string>> = {}
  /** False: another holds the Lease. */
  isOurs = true
  /** The next create breaks off: before the permit is stored, or after. */
  breaksOff: 'before' | 'after' | undefined
  /** What else the server has, for whoever reads a pod or a workload. */
  objects: () => readonly KubeObject[] = () => []
  /** What is answered to a change of anything that is no permit; by default there is nothing. */
  answersChange: (sent: TransportRequest) => { readonly status: number; readonly body: unknown } | undefined = () => undefined
  /** Answers come when this resolves; what was asked is done by then. */
  answering: Promise<void> = Promise.resolve()
  /** No request about permits is answered or done. */
  isSilent = false
  #version = 0

  api(): Api {
    const request = async (sent: TransportRequest) => {
      const answer = this.#answer(sent)
      await this.answering
      return answer
    }
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
      outlast: async () => undefined,
      annotations: () => this.leaseAnnotations,
      annotate: async annotations => {
        if (!this.isOurs) throw new Error('the lease is held by another')
        this.leaseAnnotations = { ...this.leaseAnnotations, ...annotations }
      },
    }
  }

  /** An informer that knows only what is observed: that is enough for what has one writer. */
  informer(): Informer<DisruptionPermit> {
    return this.watched().informer
  }

  /** An informer with its store, into which a test puts what a watch would bring. */
  watched(): PermitWatch {
    return permitWatch(this.clock)
  }

  /** Stores `permit` under a new version, past all that the API asks. */
  put(permit: DisruptionPermit): DisruptionPermit {
    const stored = { ...permit, metadata: { ...permit.metadata, resourceVersion: this.#next() } }
    this.permits.set(`${stored.metadata.namespace ?? ''}/${stored.metadata.name}`, stored)
    return stored
  }

  #answer(asked: TransportRequest): TransportResponse {
    const { verb, path, body } = asked
    const [, namespace = '', name = '', subresource] = /\/namespaces\/([^/]+)\/disruptionpermits(?:\/([^/]+))?(?:\/(status))?$/.exec(path) ?? []
    const sent = body === undefined ? undefined : (JSON.parse(String(body)) as DisruptionPermit)
    const key = `${namespace}/${name === '' ? (sent?.metadata.name ?? '') : name}`
    const known = this.permits.get(key)
    if (!path.includes('/disruptionpermits')) return this.#other(asked)
    if (this.isSilent) throw new ConnectionError('no answer')
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
      this.writes.push(`${sent.status?.dropped === undefined ? 'release' : 'drop'} ${known.metadata.name}`)
      const stored: DisruptionPermit = {
        ...known,
        metadata: { ...known.metadata, resourceVersion: this.#next() },
        status: applyMergePatch(known.status, sent.status) as NonNullable<DisruptionPermit['status']>,
      }
      this.permits.set(key, stored)
      return json(200, stored)
    }
    if (verb === 'PATCH' && known !== undefined && sent !== undefined) {
      if (sent.metadata.resourceVersion !== known.metadata.resourceVersion)
        return json(409, { kind: 'Status', status: 'Failure', code: 409, reason: 'Conflict', message: 'the object has been modified' })
      this.writes.push(`join ${known.metadata.name}`)
      const annotations = { ...known.metadata.annotations, ...sent.metadata.annotations }
      const stored = { ...known, metadata: { ...known.metadata, annotations, resourceVersion: this.#next() }, spec: { ...known.spec, ...sent.spec } }
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

  #other(asked: TransportRequest): TransportResponse {
    const { verb, path } = asked
    const answer = verb === 'GET' ? undefined : this.answersChange(asked)
    if (answer !== undefined) return json(answer.status, answer.body)
    const [, namespace, plural = '', name = ''] = /(?:\/namespaces\/([^/]+))?\/([^/]+)\/([^/]+)$/.exec(path) ?? []
    const found = this.objects().find(
      ({ kind, metadata }) => `${kind.toLowerCase()}s` === plural && metadata.namespace === namespace && metadata.name === name,
    )
    if (verb === 'GET' && found !== undefined) return json(200, found)
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
