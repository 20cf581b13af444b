import { expect, test } from 'vitest'
import { NfdSite } from './nfd-swap-site.ts'

test('from node-feature-discovery to Ballast, by a person who was killed once: nothing is lost of any node', async () => {
  await using site = await NfdSite.start()
  const write = 'DELETE /apis/nfd.k8s-sigs.io/v1alpha1/namespaces/node-feature-discovery/nodefeatures/n2'
  expect((await site.swap.apply({ kill: { write, when: 'before' } })).error?.message).toMatch(/killed/)
  expect(site.published).toEqual(['ballast-agent/n1', 'ballast-agent/n2', 'node-feature-discovery/n2'])
  const forth = await site.swap.apply()
  expect(forth.isDone, JSON.stringify(forth.results)).toBe(true)
  expect([site.published, [...site.lost]]).toEqual([['ballast-agent/n1', 'ballast-agent/n2'], []])
})
