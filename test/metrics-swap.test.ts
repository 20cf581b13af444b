import { expect, test } from 'vitest'
import { MetricsSwapSite } from './metrics-swap-site.ts'

test('from metrics-server to Ballast, killed once, and back: callers are always answered', async () => {
  await using site = await MetricsSwapSite.start()
  const before = site.registration
  const isSwitch = (write: string) => write === 'PUT /apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io'
  let seen = 0
  site.meanwhile = async write => {
    if (isSwitch(write) && seen++ === 0) throw new Error('killed')
  }
  expect((await site.apply()).error?.message).toBe('killed')
  const forth = await site.apply()
  expect(forth.isDone, JSON.stringify(forth.results)).toBe(true)
  expect([site.ledTo, site.upstreamReplicas, site.isEnabled]).toEqual(['ballast-system/ballast-apiserver', undefined, true])
  const back = await site.apply({ back: true })
  expect(back.isDone, JSON.stringify(back.results)).toBe(true)
  expect([site.ledTo, site.upstreamReplicas, site.isEnabled]).toEqual(['kube-system/metrics-server', 1, false])
  expect(site.registration?.['spec']).toEqual(before?.['spec'])
  expect(site.unanswered).toEqual([])
})
