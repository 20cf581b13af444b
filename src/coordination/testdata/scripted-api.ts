// An API server that answers what a test says, by verb and path, and keeps what it was asked.
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import type { EffectContext } from '../effects/effect-context.ts'
import type { Permit } from '../permits/permit.ts'
import { Ledger } from '../permits/ledger.ts'
import { recordOf } from '../permits/permit-record.ts'
import type { DisruptionPermit } from '../api.ts'

export const startMs = Date.parse('2026-03-02T04:00:00Z')

export type Answer = { readonly status: number; readonly body: unknown } | 'broken'

interface Script {
  /** `POST /api/v1/…` (without query) → answers in turn; the last one stays. */
  readonly [request: string]: readonly Answer[]
}

interface Scripted {
  readonly context: EffectContext
  readonly clock: VirtualClock
  readonly api: Api
  readonly asked: TransportRequest[]
  leads: boolean
}

/** @throws in a request that the script does not know. */
export function scripted(script: Script): Scripted {
  const clock = new VirtualClock(startMs)
  const asked: TransportRequest[] = []
  const turns = new Map<string, number>()
  const request = async (sent: TransportRequest): Promise<TransportResponse> => {
    sent.guard?.()
    asked.push(sent)
    const key = `${sent.verb} ${sent.path}`
    const answers = script[key]
    const turn = turns.get(key) ?? 0
    turns.set(key, turn + 1)
    const answer = answers?.[Math.min(turn, answers.length - 1)]
    if (answer === undefined) throw new Error(`the script has no answer for ${key}`)
    if (answer === 'broken') throw new ConnectionError(`${key}: connection reset`)
    return { status: answer.status, headers: {}, body: new TextEncoder().encode(JSON.stringify(answer.body)) }
  }
  const transport = { request, stream: () => Promise.reject(new Error('no streams here')), close: async () => undefined }
  const api = openApi(transport, { clock, userAgent: 'test' })
  const result: Scripted = {
    clock,
    api,
    asked,
    leads: true,
    context: {
      api,
      clock,
      leadership: {
        transitions: 0,
        assert: () => {
          if (!result.leads) throw new Error('the lease is held by another')
        },
        confirm: async () => undefined,
        outlast: async () => undefined,
        annotations: () => ({}),
        annotate: async () => undefined,
      },
    },
  }
  return result
}

export function failure(code: number, reason: string, message: string, details: object = {}): Answer {
  return { status: code, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message, details } }
}

/** A permit as the ledger hands it out for what the API server has. */
export function grantedPermit(given: { readonly context: EffectContext }, spec: Pick<DisruptionPermit['spec'], 'targets' | 'verb'> & Partial<DisruptionPermit['spec']>): Permit {
  const object: DisruptionPermit = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: { name: 'p-1', namespace: 'shop', resourceVersion: '1', annotations: { 'ballast.dev/leader-epoch': '0' } },
    spec: {
      requester: 'deschedule',
      class: 'balance',
      purpose: 'move',
      reasons: [{ code: 'rebalance', message: 'to n2' }],
      idempotencyKey: 'k',
      deadline: new Date(startMs + 900_000).toISOString(),
      siblings: [],
      nodes: [],
      joined: [],
      grant: { token: 7, at: new Date(startMs).toISOString(), expiresAt: new Date(startMs + 600_000).toISOString() },
      ...spec,
    },
  }
  return permitOf(given, object)
}

function permitOf({ context }: { readonly context: EffectContext }, object: DisruptionPermit): Permit {
  const nothing = () => undefined
  const permits = {
    resource: { group: '', version: '', resource: '' },
    store: { get: nothing, byUid: nothing, list: () => [object][Symbol.iterator](), byIndex: () => [object][Symbol.iterator](), addIndex: nothing, size: 1, resourceVersion: '1' },
    onChange: () => nothing,
  }
  const ledger = new Ledger({
    api: context.api,
    // Only `adopt` is used here, which asks nothing of the store.
    permits: permits as never,
    leadership: context.leadership,
    clock: context.clock,
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    namespace: 'ballast-system',
  })
  return ledger.adopt(recordOf(object))
}
