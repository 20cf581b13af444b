import { expect, test } from 'vitest'
import { KedaSwapSite } from './keda-swap-site.ts'

const all = { 'keda-operator': 1, 'keda-operator-metrics-apiserver': 1, 'keda-admission-webhooks': 1 }

test('KEDA gives its Lease to Ballast and gets it back: one acts, autoscalers are answered, nothing of users is touched', async () => {
  await using site = await KedaSwapSite.start()
  const before = site.untouched
  const [registration, judge] = [site.registration, site.judge]
  const forth = await site.apply()
  expect(forth.error).toBeUndefined()
  expect(forth.results.filter(({ state }) => state === 'failed' || state === 'reverted')).toEqual([])
  expect([site.ledTo, site.upstream, site.isEnabled, site.judge]).toEqual([
    'ballast-system/ballast-apiserver',
    {},
    true,
    undefined,
  ])
  expect(site.untouched).toEqual(before)

  const back = await site.apply({ back: true })
  expect(back.error).toBeUndefined()
  expect(back.results.filter(({ state }) => state === 'failed' || state === 'reverted')).toEqual([])
  expect([site.ledTo, site.upstream, site.isEnabled]).toEqual(['keda/keda-operator-metrics-apiserver', all, false])
  expect(site.registration?.['spec']).toEqual(registration?.['spec'])
  expect(site.judge?.['webhooks']).toEqual(judge?.['webhooks'])
  expect(site.untouched).toEqual(before)
  expect([site.both, site.blocked]).toEqual([[], []])
  // Where the Lease had to run out it would be 15 s; KEDA's usual polling interval is 30 s.
  expect(site.longestGap).toBeLessThanOrEqual(8)
})
