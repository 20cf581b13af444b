// What people ask of the jobs of CSI's sidecars, with what is there when it is done: for runs in which something goes wrong meanwhile.
import { expect } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { controllerCapabilities } from '../src/capabilities/nfs/csi/messages.ts'
import { type Attachment, attachments } from '../src/capabilities/nfs/jobs/attach/attachment-decision.ts'
import { standardAttach } from '../src/capabilities/nfs/jobs/attach/settings.ts'
import type { JobsConfig } from '../src/capabilities/nfs/jobs/jobs.ts'
import { standardProvision } from '../src/capabilities/nfs/jobs/provision/settings.ts'
import { type Content, contents, type Snapshot, snapshots } from '../src/capabilities/nfs/jobs/snapshot/snapshot-kinds.ts'
import { csiNode, volumeOf } from './nfs-jobs-attach-site.ts'
import { FakeDriver, usual } from './nfs-jobs-driver.ts'
import {
  allJobs,
  attributesClass,
  claim,
  claims,
  election,
  type JobsSite,
  jobsSite,
  snapshot,
  snapshotClass,
} from './nfs-jobs-site.ts'

const { election: _, ...withoutLeases } = allJobs
const namespace = 'media'

export interface Scenario {
  readonly name: string
  readonly objects: readonly KubeObject[]
  readonly config?: JobsConfig
  /** What the driver can beside the usual. */
  readonly can?: readonly number[]
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

export const scenarios: readonly Scenario[] = [
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
    can: [controllerCapabilities.MODIFY_VOLUME],
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
    can: [controllerCapabilities.MODIFY_VOLUME],
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
  {
    name: 'a volume is attached, detached and attached elsewhere',
    objects: [csiNode('n1'), csiNode('n2'), volumeOf('pv-plex')],
    config: { attach: standardAttach },
    can: [controllerCapabilities.PUBLISH_UNPUBLISH_VOLUME],
    async drive(site) {
      for (const name of ['n1', 'n2']) {
        await site.create(attachments, attachment(name))
        await site.until(() => site.list<Attachment>(attachments).some(({ status }) => status?.attached === true))
        expect([...site.driver.attached]).toEqual([`nas#export#plex## on ${name}`])
        if (name === 'n2') await site.delete(builtIn.persistentvolumes, 'pv-plex')
        await site.delete(attachments, name)
        await site.until(() => site.list(attachments).length === 0)
      }
      await site.until(() => site.volumes().length === 0)
    },
    left: { claims: 0, volumes: 0, directories: 0 },
  },
]

const attachment = (nodeName: string): KubeObject =>
  ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    metadata: { name: nodeName },
    spec: { attacher: 'nfs.csi.k8s.io', nodeName, source: { persistentVolumeName: 'pv-plex' } },
  }) as KubeObject

/** What is wrong at the end of a run, a line each. */
export function faults(site: JobsSite, { left }: Scenario): readonly string[] {
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
    ...Array.from(driver.attached, one => `${one} still`),
    ...held.map(({ metadata }) => `${metadata.name} is held by ${metadata.finalizers?.join(', ')}`),
    ...site.list<Content>(contents).flatMap(({ metadata }) => {
      const passing = Object.keys(metadata.annotations ?? {}).filter(one => one.includes('being'))
      return passing.length > 0 ? [`${metadata.name} still says ${passing.join(', ')}`] : []
    }),
    ...site.forbidden.map(request => `403: ${request}`),
    ...site.errors.map(error => `error: ${error}`),
  ]
}

/** The cluster of a scenario with its driver; no job runs yet. */
export const siteOf = (
  { objects, config = withoutLeases, can = [] }: Scenario,
  more: Partial<Parameters<typeof jobsSite>[0]> = {},
) => jobsSite({ objects, config, driver: new FakeDriver({ can: [...usual, ...can] }), ...more })
