import { expect, test } from 'vitest'
import { builtIn } from '#kube/objects/resource.ts'
import { MetricsSwapSite, metricsServerInstallation } from './metrics-swap-site.ts'

const { signal } = new AbortController()

test('callers are led from metrics-server to Ballast, by a person who was killed once: always answered', async () => {
  await using site = await MetricsSwapSite.start(metricsServerInstallation())
  const write = 'PUT /apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io'
  expect((await site.apply({ kill: { write, when: 'before' } })).error?.message).toMatch(/killed/)
  // Up to the switch: the rest is in the deep test.
  const forth = await site.apply({ which: { kind: 'next' } })
  expect(forth.isDone, JSON.stringify(forth.results)).toBe(true)
  expect([site.ledTo, site.upstreamReplicas, site.isEnabled]).toEqual(['ballast-system/ballast-apiserver', 1, true])
  expect(site.unanswered).toEqual([])
  // Whether the site would have seen it.
  const body = { spec: { replicas: 0 } }
  await site.admin
    .resource(builtIn.deployments)
    .patch('ballast-apiserver', { type: 'merge', body }, { namespace: 'ballast-system', signal })
  await site.pass(20_000)
  expect(site.unanswered.length).toBeGreaterThan(5)
})
