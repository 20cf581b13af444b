// Secrets that the Secrets Store CSI driver mounts: pods report a rotation one after another, and their workload is rolled out once.
import { expect, test } from 'vitest'
import { marksOf, reloadCluster, remembered, rolloutsOf, workload } from './reload-cluster.ts'
import { csiDefinitions, mount, providerClass, report } from './reload-kinds.ts'

const minute = 60_000
const variable = 'STAKATER_VAULT_SECRETPROVIDERCLASS'

test('a rotation that pods report one by one is one roll-out, and going back counts once the window is over', async () => {
  const cart = workload({ name: 'cart', annotations: { 'secretproviderclass.reloader.stakater.com/reload': 'vault' } })
  await using cluster = await reloadCluster(
    [...csiDefinitions, providerClass('vault'), mount('cart-1', 'b'), mount('cart-2', 'b'), cart],
    { config: { csiIntegration: true, debounce: '0s', rateGuard: { enabled: false } } },
  )
  cluster.startController()
  await remembered(cluster)
  await cluster.pass(5 * minute)
  expect(rolloutsOf(cluster, 'cart')).toBe(0)

  await report(cluster, 'cart-1', 'c')
  await cluster.until(() => rolloutsOf(cluster, 'cart') === 1)
  const ofC = marksOf(cluster, 'cart')[variable]
  await report(cluster, 'cart-2', 'c')
  await report(cluster, 'cart-1', 'b')
  await report(cluster, 'cart-2', 'b')
  await cluster.pass(minute)
  expect(rolloutsOf(cluster, 'cart')).toBe(1)

  await cluster.until(() => rolloutsOf(cluster, 'cart') === 2)
  expect(marksOf(cluster, 'cart')[variable]).not.toBe(ofC)
  await cluster.pass(5 * minute)
  expect(rolloutsOf(cluster, 'cart')).toBe(2)
  expect(cluster.errors).toEqual([])
  expect(cluster.forbidden).toEqual([])
})
