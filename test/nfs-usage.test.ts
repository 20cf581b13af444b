// How much volumes use, on the twin: what is noted, told and counted of what a driver finds in their folders.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { silentLog } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { seededRandom } from '#kube/random.ts'
import { type JobsConfig, startJobs } from '../src/capabilities/nfs/jobs/jobs.ts'
import { usageJob } from '../src/capabilities/nfs/usage/usage-job.ts'
import { readUse, useAnnotation } from '../src/capabilities/nfs/usage/use-annotation.ts'
import { alone, claim, claims, election, type JobsSite, jobsSite } from './nfs-jobs-site.ts'

const hour = 3_600_000
const gibibyte = 2 ** 30
const settings = { everyMs: 2 * hour, entriesPerSecond: 1_000, mostEntries: 1_000_000 }

type Controller = Parameters<typeof usageJob>[0]['controller']

/** Folders by the handle of their volume; one that is not there fails. */
class Folders implements Controller {
  readonly bytes = new Map<string, number>()
  readonly walked: string[] = []
  /** Walks that do not end by themselves. */
  readonly endless = new Set<string>()

  async usage(id: string, _limits: unknown, signal: AbortSignal) {
    this.walked.push(id)
    if (this.endless.has(id)) {
      const { promise, reject } = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      await promise
    }
    const bytes = this.bytes.get(id)
    if (bytes === undefined) throw new OutsideError('the server is away')
    return { apparentBytes: String(bytes), allocatedBytes: String(bytes), entries: 1, unreadable: 0, isWhole: true }
  }
}

/** The provisioner makes volumes, and a process walks through them. */
async function usageSite(names: readonly string[]) {
  const site = await jobsSite({ config: alone })
  site.start()
  for (const name of names) await site.create(claims, claim(name))
  await site.until(() => names.every(name => site.isBound(name)))
  const folders = new Folders()
  const start = (config: JobsConfig = {}) => {
    const metrics = new Registry()
    const api = openApi(site.adminTransport(), { clock: site.clock, userAgent: 'usage' })
    const around = { clock: site.clock, random: seededRandom(1), log: silentLog, identity: { instance: 'usage_1' } }
    const job = usageJob({ driver: 'nfs.csi.k8s.io', settings, controller: folders, metrics })
    return { metrics, jobs: startJobs({ api, config, ...around, more: [job] }, new AbortController().signal) }
  }
  return { site, folders, start, handle: (name: string) => volumeOf(site, name)?.spec.csi?.volumeHandle ?? '' }
}

const volumeOf = (site: JobsSite, name: string) => site.volumes().find(({ spec }) => spec.claimRef?.name === name)
const noted = (site: JobsSite, name: string) => readUse(volumeOf(site, name)?.metadata.annotations?.[useAnnotation])
const told = (site: JobsSite) => site.events().flatMap(line => /(NfsVolume\S+ \S+):/.exec(line)?.[1] ?? [])

async function counted(metrics: Registry): Promise<readonly string[]> {
  const text = await metrics.metrics()
  const lines = text.split('\n').flatMap(line => {
    const [, name = '', bytes = ''] = /^ballast_nfs_volume_used_bytes\{.*persistentvolumeclaim="([^"]*)"\} (.*)$/.exec(line) ?? []
    return name === '' ? [] : [`${name} ${Number(bytes) / gibibyte}`]
  })
  return lines.toSorted()
}

test('what fills is told once each time, what is emptied is noted, and a new process tells what was found', async () => {
  const { site, folders, start, handle } = await usageSite(['fills', 'stays'])
  await using _site = site
  folders.bytes.set(handle('fills'), 0.9 * gibibyte)
  folders.bytes.set(handle('stays'), 0.5 * gibibyte)
  const first = start()
  await site.until(() => noted(site, 'fills') !== undefined && noted(site, 'stays') !== undefined, 60_000)
  await site.pass(5_000)
  expect(told(site)).toEqual(['NfsVolumeNearlyFull fills'])
  expect(await counted(first.metrics)).toEqual(['fills 0.9', 'stays 0.5'])

  folders.bytes.set(handle('fills'), 1.5 * gibibyte)
  await site.until(() => noted(site, 'fills')?.bytes === 1.5 * gibibyte, 3 * hour)
  await site.pass(5_000)
  // Events are kept for an hour.
  expect(told(site)).toEqual(['NfsVolumeAboveRequest fills'])
  expect(noted(site, 'fills')?.before?.bytes).toBe(0.9 * gibibyte)

  folders.bytes.set(handle('fills'), 0)
  await site.until(() => noted(site, 'fills')?.bytes === 0, 3 * hour)
  expect(await counted(first.metrics)).toEqual(['fills 0', 'stays 0.5'])
  const walks = folders.walked.length
  const isOver = first.jobs[Symbol.asyncDispose]()
  await site.pass(1_000)
  await isOver
  expect(await counted(first.metrics)).toEqual([])

  const second = start()
  await site.pass(60_000)
  expect(await counted(second.metrics)).toEqual(['fills 0', 'stays 0.5'])
  expect(folders.walked.length).toBeLessThanOrEqual(walks + 1)
  await site.delete(claims, 'fills', 'media')
  await site.until(() => volumeOf(site, 'fills')?.status?.phase !== 'Bound')
  await site.pass(1_000)
  expect(await counted(second.metrics)).toEqual(['stays 0.5'])
  const end = second.jobs[Symbol.asyncDispose]()
  await site.pass(1_000)
  await end
})

test('a server that is away is asked again after a minute, then later each time, and holds up no other', async () => {
  const { site, folders, start, handle } = await usageSite(['away', 'there'])
  await using _site = site
  folders.bytes.set(handle('there'), 1)
  const { jobs } = start()
  await site.until(() => noted(site, 'there') !== undefined, 60_000)
  await site.pass(10 * 60_000)
  const tries = folders.walked.filter(one => one === handle('away')).length
  expect([tries >= 4, tries <= 5]).toEqual([true, true])
  folders.bytes.set(handle('away'), 2)
  await site.until(() => noted(site, 'away')?.bytes === 2, 20 * 60_000)
  const end = jobs[Symbol.asyncDispose]()
  await site.pass(1_000)
  await end
})

test('a walk that is under way ends with its process', async () => {
  const { site, folders, start, handle } = await usageSite(['long'])
  await using _site = site
  folders.endless.add(handle('long'))
  const { jobs } = start({ election })
  await site.until(() => folders.walked.length === 1, 60_000)
  expect(site.list('leases.coordination.k8s.io').map(({ metadata }) => metadata.name)).toEqual([
    'ballast-nfs-usage-nfs-csi-k8s-io',
  ])
  const end = jobs[Symbol.asyncDispose]()
  await site.pass(1_000)
  await end
  expect(noted(site, 'long')).toBeUndefined()
})
