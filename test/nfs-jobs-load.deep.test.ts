// Five hundred claims at once, and again to their deletion: each gets one volume, in seconds, and none is made twice.
import { expect, test } from 'vitest'
import { allJobs, claim, claims, jobsSite } from './nfs-jobs-site.ts'

const count = 500
const limitMs = 15_000
const { election: _, ...withoutLeases } = allJobs
const names = Array.from({ length: count }, (_, at) => `claim-${at}`)

test(`${count} claims at once are bound within ${limitMs / 1000} s, and go again`, async () => {
  await using site = await jobsSite({ config: withoutLeases })
  const { driver } = site
  site.start()
  await site.pass(1_000)
  for (const name of names) await site.create(claims, claim(name))
  const startMs = site.clock.elapsed()
  const cpu = process.cpuUsage()
  await site.until(() => names.every(name => site.isBound(name)), limitMs)
  const { user, system } = process.cpuUsage(cpu)
  const requests = site.effects.filter(effect => !effect.startsWith('call'))
  process.stdout.write(
    `bound after ${((site.clock.elapsed() - startMs) / 1000).toFixed(1)} s, ${Math.round((user + system) / 1000)} ms of CPU, ${requests.length} writes\n`,
  )
  await site.pass(60_000)
  expect(site.volumes()).toHaveLength(count)
  expect(new Set(site.volumes().map(({ spec }) => spec.csi?.volumeHandle)).size).toBe(count)
  expect(driver.volumes.size).toBe(count)
  expect(driver.count('createVolume')).toBe(count)
  for (const name of names) await site.delete(claims, name, 'media')
  await site.until(() => site.volumes().length === 0, 60_000)
  expect(driver.volumes.size).toBe(0)
  expect(driver.done).toHaveLength(2 * count)
  expect([...site.forbidden, ...site.errors]).toEqual([])
})

test('claims that fail hold up none that do not', async () => {
  await using site = await jobsSite({ config: withoutLeases })
  const { driver } = site
  const refused = new Set<string>()
  driver.refuses = name => (refused.has(name) ? { code: 13, details: 'the server is away' } : undefined)
  for (const name of names.slice(0, 200)) {
    await site.create(claims, claim(name))
    refused.add(`pvc-${site.claim(name)?.metadata.uid}`)
  }
  site.start()
  await site.pass(30_000)
  await site.create(claims, claim('good'))
  const startMs = site.clock.elapsed()
  await site.until(() => site.isBound('good'), 5_000)
  process.stdout.write(`bound after ${((site.clock.elapsed() - startMs) / 1000).toFixed(1)} s beside 200 that fail\n`)
  refused.clear()
  await site.until(() => names.slice(0, 200).every(name => site.isBound(name)), 600_000)
  expect(driver.volumes.size).toBe(201)
})
