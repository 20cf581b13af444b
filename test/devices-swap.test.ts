import { expect, test } from 'vitest'
import { DevicesSite, operatorInstallation, pluginObject, shares } from './devices-swap-site.ts'

test("from Intel's plugins to Ballast, by a person who was killed once: no node lacks a card for a second", async () => {
  const nodeSelector = { 'intel.feature.node.kubernetes.io/gpu': 'true' }
  const object = pluginObject('gpu', 'igpu', { sharedDevNum: shares, nodeSelector })
  await using site = await DevicesSite.start([...operatorInstallation(), object])
  expect(site.offering).toEqual(['n1 upstream', 'n2 upstream'])
  const write = 'PATCH /apis/apps/v1/namespaces/inteldeviceplugins-system/daemonsets/intel-gpu-plugin-igpu'
  const killed = await site.swap.apply({ kill: { write, when: 'before' } })
  expect([killed.error?.message, killed.results.at(-1)]).toEqual([expect.stringMatching(/killed/), expect.anything()])
  expect(site.offering).toEqual(['n1 ours', 'n1 upstream', 'n2 ours', 'n2 upstream'])
  const forth = await site.swap.apply()
  expect(forth.isDone, JSON.stringify(forth.results)).toBe(true)
  expect([site.offering, [...site.lost]]).toEqual([['n1 ours', 'n2 ours'], []])
})
