import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Transport, TransportResponse } from '#kube/client/transport.ts'
import { readMetric } from './horizontal-pod-autoscaler-readings.ts'

const metric = {
  type: 'External',
  external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '1' } },
} as const
const question = { namespace: 'apps', selector: 'app=web', resourceOf: () => undefined }

const answering = (request: Transport['request']): Transport => ({ ...unused, request })
const unused = {
  stream: () => Promise.reject(new Error('nobody watches metrics')),
  close: () => Promise.resolve(),
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a metric that is not there is a reading that failed, in the words of kube-controller-manager', () => {
  const late =
    'unable to get external metric apps/queue/nil: unable to fetch metrics from external metrics API: the server was unable to return a response in the time allotted, but may still be processing the request (get queue.external.metrics.k8s.io)'

  it('where whoever serves it never answers', async () => {
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort(new DOMException('late', 'TimeoutError')))
    const api = answering(({ signal }) => Promise.reject(signal?.reason))
    expect(await readMetric(api, metric, question)).toEqual({ kind: 'failed', message: late })
  })

  it('where the server before it gives up', async () => {
    const answer: TransportResponse = { status: 504, headers: {}, body: new Uint8Array() }
    const api = answering(() => Promise.resolve(answer))
    expect(await readMetric(api, metric, question)).toEqual({ kind: 'failed', message: late })
  })
})
