// The jobs are killed before and after everything that they do, a write of the API or a call of the driver; whoever follows ends it with one volume of each claim,
// one directory of each volume, and nothing left over.
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { controllerCapabilities } from '../src/capabilities/nfs/csi/messages.ts'
import { standardProvision } from '../src/capabilities/nfs/jobs/provision/settings.ts'
import { type Content, contents, type Snapshot, snapshots } from '../src/capabilities/nfs/jobs/snapshot/snapshot-kinds.ts'
import { shareOf } from './crash-harness.ts'
import { FakeDriver, usual } from './nfs-jobs-driver.ts'
import {
  allJobs,
  attributesClass,
  claim,
  claims,
  election,
  type JobsSite,
  jobsSite,
  type Kill,
  snapshot,
  snapshotClass,
} from './nfs-jobs-site.ts'

const { election: _, ...withoutLeases } = allJobs
/** What follows a result at once, such as a finalizer that goes, is done in it. */
const trailMs = 10_000
/** After that the last word of every queue has been said. */
const settleMs = 600_000
const namespace = 'media'

interface Scenario {
  readonly name: string
  readonly objects: readonly KubeObject[]
  readonly config?: typeof allJobs
  /** The driver changes volumes. */
  readonly modifies?: true
  drive(site: JobsSite): Promise<void>
  /** What is there at the end: claims, volumes, directories, snapshots in the driver. */
  readonly left: { readonly claims: number; readonly volumes: number; readonly directories: number; readonly snapshots?: number }
}

const isReady = (site: JobsSite, name: string) =>
  site.list<Snapshot>(snapshots).find(one => one.metadata.name === name)?.status?.readyToUse === true
const isGone = (site: JobsSite, resource: Parameters<JobsSite['list']>[0], name: string) =>
  site.list(resource).every(({ metadata }) => metadata.name !== name)
const bound = (site: JobsSite, ...names: readonly string[]) => site.until(() => names.every(name => site.isBound(name)))
const ofClaim = { source: { persistentVolumeClaimName: 'plex' } }
const fromClaim = { dataSource: { kind: 'PersistentVolumeClaim', name: 'plex' } }
const fromSnapshot = { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'a' } }

async function snapshotted(site: JobsSite): Promise<void> {
  await bound(site, 'plex')
  await site.create(snapshots, snapshot('a', ofClaim))
  await site.until(() => isReady(site, 'a'))
}

const scenarios: readonly Scenario[] = [
  {
    name: 'two claims are provisioned',
    objects: [claim('plex'), claim('photos')],
    drive: site => bound(site, 'plex', 'photos'),
    left: { claims: 2, volumes: 2, directories: 2 },
  },
  {
    name: 'a claim is provisioned by who leads',
    objects: [claim('plex')],
    config: { provision: standardProvision, election },
    drive: site => bound(site, 'plex'),
    left: { claims: 1, volumes: 1, directories: 1 },
  },
  {
    name: 'a claim is deleted with its volume',
    objects: [claim('plex')],
    async drive(site) {
      await bound(site, 'plex')
      await site.delete(claims, 'plex', namespace)
      await site.until(() => site.volumes().length === 0)
    },
    left: { claims: 0, volumes: 0, directories: 0 },
  },
  {
    name: 'a claim is cloned, and the first goes',
    objects: [claim('plex')],
    async drive(site) {
      await bound(site, 'plex')
      await site.create(claims, claim('clone', fromClaim))
      await bound(site, 'clone')
      await site.delete(claims, 'plex', namespace)
      await site.until(() => site.volumes().length === 1)
    },
    left: { claims: 1, volumes: 1, directories: 1 },
  },
  {
    name: 'a claim grows',
    objects: [claim('plex')],
    async drive(site) {
      await bound(site, 'plex')
      await site.change(claims, 'plex', { spec: { resources: { requests: { storage: '2Gi' } } } }, { namespace })
      await site.until(() => site.claim('plex')?.status?.capacity?.['storage'] === '2Gi')
      expect(site.volumes()[0]?.spec.capacity?.['storage']).toBe('2Gi')
    },
    left: { claims: 1, volumes: 1, directories: 1 },
  },
  {
    name: 'a claim is made with attributes, and gets others',
    objects: [
      attributesClass('gold', { mountPermissions: '0770' }),
      attributesClass('silver', { mountPermissions: '0700' }),
      claim('plex', { volumeAttributesClassName: 'gold' }),
    ],
    modifies: true,
    async drive(site) {
      await bound(site, 'plex')
      await site.change(claims, 'plex', { spec: { volumeAttributesClassName: 'silver' } }, { namespace })
      const isChanged = () => {
        const { status } = site.claim('plex') ?? {}
        return status?.currentVolumeAttributesClassName === 'silver' && status.modifyVolumeStatus === undefined
      }
      await site.until(isChanged)
      expect(site.volumes()[0]?.spec.volumeAttributesClassName).toBe('silver')
      expect([...site.driver.volumes.values()].map(({ attributes }) => attributes.get('mountPermissions'))).toEqual(['0700'])
      expect(site.claim('plex')?.status?.conditions ?? []).toEqual([])
    },
    left: { claims: 1, volumes: 1, directories: 1 },
  },
  {
    name: 'a claim grows and gets other attributes at once',
    objects: [attributesClass('gold', { mountPermissions: '0770' }), claim('plex')],
    modifies: true,
    async drive(site) {
      await bound(site, 'plex')
      const both = { volumeAttributesClassName: 'gold', resources: { requests: { storage: '2Gi' } } }
      await site.change(claims, 'plex', { spec: both }, { namespace })
      await site.until(() => {
        const { status } = site.claim('plex') ?? {}
        return status?.currentVolumeAttributesClassName === 'gold' && status.capacity?.['storage'] === '2Gi'
      })
      expect(site.claim('plex')?.status?.conditions ?? []).toEqual([])
    },
    left: { claims: 1, volumes: 1, directories: 1 },
  },
  {
    name: 'a snapshot is taken and restored',
    objects: [claim('plex'), snapshotClass],
    async drive(site) {
      await snapshotted(site)
      await site.create(claims, claim('again', fromSnapshot))
      await bound(site, 'again')
    },
    left: { claims: 2, volumes: 2, directories: 2, snapshots: 1 },
  },
  {
    name: 'a snapshot is taken and deleted',
    objects: [claim('plex'), snapshotClass],
    async drive(site) {
      await snapshotted(site)
      await site.delete(snapshots, 'a', namespace)
      await site.until(() => isGone(site, snapshots, 'a') && site.list(contents).length === 0)
    },
    left: { claims: 1, volumes: 1, directories: 1, snapshots: 0 },
  },
]

/** What is wrong at the end of a run, a line each. */
function faults(site: JobsSite, { left }: Scenario): readonly string[] {
  const { driver } = site
  const found = {
    claims: site.list(claims.resource).length,
    volumes: site.volumes().length,
    directories: driver.volumes.size,
    snapshots: driver.snapshots.size,
  }
  const expected = { snapshots: 0, ...left }
  const handles = site.volumes().map(({ spec }) => spec.csi?.volumeHandle)
  const made = driver.done.filter(done => !done.startsWith('expand') && !done.startsWith('modify'))
  const held = site
    .list(claims.resource)
    .filter(({ metadata }) => metadata.finalizers?.some(one => one.includes('as-source') || one.includes('cloning')))
  return [
    ...Object.entries(expected)
      .filter(([kind, count]) => found[kind as keyof typeof found] !== count)
      .map(([kind, count]) => `${kind}: ${found[kind as keyof typeof found]}, expected ${count}`),
    ...(new Set(handles).size === handles.length ? [] : [`two volumes of one directory: ${handles.join(', ')}`]),
    ...(new Set(made).size === made.length ? [] : [`done twice: ${made.join(', ')}`]),
    ...held.map(({ metadata }) => `${metadata.name} is held by ${metadata.finalizers?.join(', ')}`),
    ...site.list<Content>(contents).flatMap(({ metadata }) => {
      const passing = Object.keys(metadata.annotations ?? {}).filter(one => one.includes('being'))
      return passing.length > 0 ? [`${metadata.name} still says ${passing.join(', ')}`] : []
    }),
    ...site.forbidden.map(request => `403: ${request}`),
    ...site.errors.map(error => `error: ${error}`),
  ]
}

async function run(scenario: Scenario, kill?: Kill) {
  const { objects, config = withoutLeases, modifies } = scenario
  const driver = modifies === true ? { driver: new FakeDriver({ can: [...usual, controllerCapabilities.MODIFY_VOLUME] }) } : {}
  await using site = await jobsSite({ objects, config, ...driver, ...(kill === undefined ? {} : { kill }) })
  site.start()
  await scenario.drive(site)
  await site.pass(trailMs)
  const effects = site.effects.length
  await site.pass(settleMs)
  return { effects, started: site.started, faults: faults(site, scenario) }
}

for (const scenario of scenarios)
  describe(`${scenario.name}, killed before or after each effect`, async () => {
    const { effects } = await run(scenario)
    const all = Array.from({ length: effects }, (_, at) => at + 1)
    const kills = shareOf(
      all.flatMap((effect): readonly Kill[] => [
        { effect, when: 'before' },
        { effect, when: 'after' },
      ]),
    )
    process.stdout.write(`${scenario.name}: ${effects} effects, ${kills.length} of ${2 * effects} kills\n`)

    test.each(kills)('$when effect $effect', async kill => {
      const { started, faults } = await run(scenario, kill)
      expect(faults).toEqual([])
      expect(started).toBe(2)
    })
  })
