// Upstream's sidecars and ours stand for the same Leases beside one driver, and take over from each other, killed and told to end, while claims are made,
// deleted, copied to snapshots. What is there in the end is what was asked for: nothing lost, nothing twice.

import { deepStrictEqual } from 'node:assert'
import { readdirSync } from 'node:fs'
import { systemClock } from '#kube/clock.ts'
import { type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { until } from '../mirror/laboratory/program.ts'
import { type ClaimsSite, quickBinder, startClaimsSite } from './claims-site.ts'
import { holders, impatient, ourSidecars, type SidecarName, type Sidecars, startSidecars, upstreamSidecars } from './sidecars.ts'

const name = 'candlekeep'
/** Long enough that each kill finds calls under way. */
const mountMs = 300
const everyMs = 200
/** Bound by each who leads before it goes. */
const claimsEach = 15
const limitMs = 60_000
const quick = ['--leader-election-lease-duration=6s', '--leader-election-renew-deadline=4s', '--leader-election-retry-period=1s']
const flagsOf = (sidecar: SidecarName) => [...impatient(sidecar), ...quick]

interface Stored extends ApiObject {
  readonly spec: { readonly volumeName?: string; readonly claimRef?: { readonly uid: string } }
  readonly status?: { readonly phase?: string; readonly readyToUse?: boolean }
}

const kinds = {
  claims: apiPath({ apiVersion: 'v1', kind: 'PersistentVolumeClaim' }, name),
  volumes: apiPath({ apiVersion: 'v1', kind: 'PersistentVolume' }),
  snapshots: apiPath({ apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot' }, name),
  contents: apiPath({ apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotContent' }),
} as const

/** A user who goes on making claims. */
class Busy {
  readonly #site: ClaimsSite
  readonly #end = new AbortController()
  readonly #work: Promise<void>
  #made = 0

  constructor(site: ClaimsSite) {
    this.#site = site
    this.#work = this.#go()
    // Told where it is awaited.
    this.#work.catch(() => undefined)
  }

  /** Until so many of the claims that were made from now on are bound. */
  async bound(count: number): Promise<void> {
    const from = this.#made
    const isLater = ({ metadata }: Stored) => Number(metadata.name.split('-')[1]) >= from
    await until(
      `${count} more claims are bound`,
      async () => (await this.list('claims')).filter(one => isLater(one) && one.status?.phase === 'Bound').length >= count,
      limitMs,
      250,
    )
  }

  async list(kind: keyof typeof kinds): Promise<readonly Stored[]> {
    const { items } = (await this.#site.plane.client.want('GET', kinds[kind])) as unknown as { readonly items: readonly Stored[] }
    return items
  }

  /** No more claims are made. */
  async end(): Promise<number> {
    this.#end.abort()
    await this.#work
    return this.#made
  }

  async #go(): Promise<void> {
    const { client } = this.#site.plane
    while (!this.#end.signal.aborted) {
      const number = this.#made++
      await client.want('POST', kinds.claims, {
        metadata: { name: `claim-${number}` },
        spec: { accessModes: ['ReadWriteMany'], storageClassName: name, resources: { requests: { storage: '1Gi' } } },
      })
      const before = number - 10
      if (before >= 0 && before % 3 === 0) await this.#deleteIfBound(`claim-${before}`)
      if (before >= 0 && before % 3 === 1 && before % 10 === 1)
        await client.want('POST', kinds.snapshots, {
          apiVersion: 'snapshot.storage.k8s.io/v1',
          kind: 'VolumeSnapshot',
          metadata: { name: `snapshot-${before}` },
          spec: { volumeSnapshotClassName: name, source: { persistentVolumeClaimName: `claim-${before}` } },
        })
      await systemClock.after(everyMs)
    }
  }

  /** One that is deleted before it is bound may leave its folder where whoever leads is killed just then: upstream's does, too. */
  async #deleteIfBound(claim: string): Promise<void> {
    const { client } = this.#site.plane
    const { status } = (await client.want('GET', `${kinds.claims}/${claim}`)) as Stored
    if (status?.phase === 'Bound') await client.want('DELETE', `${kinds.claims}/${claim}`)
  }
}

/** Ours call themselves by their pod, upstream's by their host. */
const ourPod = 'ours'

export async function takeovers(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const site = stack.use(await startClaimsSite(undefined, quickBinder))
  const { nfs, plane } = site
  const folder = nfs.addShare(name, 'kubernetes')
  nfs.tell(name, { waitMs: mountMs })
  await plane.client.want('POST', '/api/v1/namespaces', { metadata: { name } })
  await plane.client.want('POST', '/apis/storage.k8s.io/v1/storageclasses', {
    metadata: { name },
    provisioner: 'nfs.csi.k8s.io',
    parameters: { server: name, share: '/kubernetes' },
  })
  const snapshotClass = { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotClass', metadata: { name } }
  await plane.client.want('POST', apiPath(snapshotClass), {
    ...snapshotClass,
    driver: 'nfs.csi.k8s.io',
    deletionPolicy: 'Delete',
  })

  const commands = { upstream: await upstreamSidecars(), ours: ourSidecars } as const
  type Who = keyof typeof commands
  const start = async (who: Who, standsBy: boolean): Promise<Sidecars> =>
    stack.use(await startSidecars(site, commands[who], { flagsOf, standsBy, ...(who === 'ours' ? { pod: ourPod } : {}) }))
  const tookMs: string[] = []
  const leads = async (who: Who) => {
    const startMs = systemClock.elapsed()
    await until(
      `${who} leads in all four`,
      async () => {
        const all = await holders(plane)
        return all.length === commands[who].size && all.every(holder => holder.startsWith(`${ourPod}_`) === (who === 'ours'))
      },
      limitMs,
    )
    tookMs.push(`${who} after ${((systemClock.elapsed() - startMs) / 1_000).toFixed(1)} s`)
  }

  let leading = await start('upstream', false)
  const busy = new Busy(site)
  await busy.bound(claimsEach)
  for (const [who, end] of [
    ['ours', 'kill'],
    ['upstream', 'kill'],
    ['ours', 'stop'],
    ['upstream', 'stop'],
    ['ours', 'kill'],
  ] as const) {
    const next = await start(who, true)
    await Promise.all(leading.programs.map(program => program[end]()))
    await leads(who)
    leading = next
    await busy.bound(claimsEach)
  }
  const made = await busy.end()

  const left = await until(
    'all claims are bound, and volumes of those that were deleted are gone',
    async () => {
      const [claims, volumes] = [await busy.list('claims'), await busy.list('volumes')]
      return claims.every(({ status }) => status?.phase === 'Bound') && volumes.length === claims.length ? claims : undefined
    },
    limitMs,
    250,
  )
  const snapshots = await until(
    'all snapshots are ready',
    async () => {
      const all = await busy.list('snapshots')
      return all.every(({ status }) => status?.readyToUse === true) ? all : undefined
    },
    limitMs,
    250,
  )
  const volumes = await busy.list('volumes')
  deepStrictEqual(
    volumes.map(({ spec }) => spec.claimRef?.uid).toSorted(),
    left.map(({ metadata }) => metadata['uid']).toSorted(),
  )
  deepStrictEqual(
    readdirSync(folder).toSorted(),
    [
      ...left.map(({ spec }) => spec.volumeName),
      ...snapshots.map(({ metadata }) => `snapshot-${String(metadata['uid'])}`),
    ].toSorted(),
  )
  deepStrictEqual((await busy.list('contents')).length, snapshots.length)

  for (const { metadata } of snapshots) await plane.client.want('DELETE', `${kinds.snapshots}/${metadata.name}`)
  await until('all snapshots are gone', async () => (await busy.list('contents')).length === 0, limitMs, 250)
  for (const { metadata } of left) await plane.client.want('DELETE', `${kinds.claims}/${metadata.name}`)
  await until('all volumes are gone', async () => (await busy.list('volumes')).length === 0, limitMs, 250)
  deepStrictEqual(readdirSync(folder), [])
  return `${made} claims made while upstream's sidecars and ours took over from each other: ${tookMs.join(', ')}; ${left.length} claims, ${snapshots.length} snapshots were left, each with its one directory, and went without a trace`
}
