import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { silentLog } from '#kube/log.ts'
import { ControllerHealth } from './controller-health.ts'
import { startHealthListener } from './health-listener.ts'

test('where the port is taken that is said, and no timer is left that keeps the process alive', async () => {
  const start = (port: number) =>
    startHealthListener({ port, host: '127.0.0.1' }, { health: new ControllerHealth(), metrics: new Registry(), log: silentLog })
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  await using first = await start(0)
  const before = timers()
  // Timers of the surroundings come and go, too: one for each attempt would be more than those.
  const attempts = 8
  for (let attempt = 0; attempt < attempts; attempt++)
    await expect(start(first.port)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  expect(timers()).toBeLessThan(before + attempts / 2)
})
