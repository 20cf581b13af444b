// The homelab with its file server as `ballast up` runs it: a claim gets a folder, grows, is snapshotted, restored and deleted, page Volumes shows it, and a
// kept cluster has its folders in the next life.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { at, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { contents, snapshots } from '../../src/capabilities/nfs/jobs/snapshot/snapshot-kinds.ts'
import { readSource } from '../../src/cli/source/source.ts'
import { type RunningBallast, startBallast } from './running-ballast.ts'

const example = join(import.meta.dirname, '..', '..', 'examples', 'utilities-homelab')
const patience = { timeout: 60_000, interval: 100 }
const namespace = 'photos'
const { signal } = new AbortController()
const { persistentvolumeclaims: claims, persistentvolumes: volumes } = builtIn

async function asAdministrator(kubeconfig: string): Promise<Api> {
  const config = await loadConfig({ environment: {}, homeDirectory: '/nowhere', kubeconfig })
  const transport = openHttpTransport(config, { clock: systemClock, random: seededRandom(1) })
  return openApi(transport, { clock: systemClock, userAgent: 'test' })
}

/** What a user applies from the example. */
async function apply(api: Api, file: string, kind: GroupVersionResource): Promise<void> {
  for (const { object } of readSource(join(example, 'volumes', file)).objects) await api.resource(kind).create(object, { signal })
}

const until = (api: Api, kind: GroupVersionResource, name: string, holds: (object: KubeObject) => boolean) =>
  vi.waitUntil(async () => {
    const found = await api.resource<KubeObject>(kind).get(name, { namespace, signal })
    return holds(found) ? found : undefined
  }, patience)

const isBound = (object: KubeObject) => textAt(object, 'status', 'phase') === 'Bound'

/** Where the share is. */
async function shareOf(ballast: RunningBallast): Promise<string> {
  const [, share = ''] = await ballast.said(/^NFS: candlekeep:\/kubernetes is the folder ([^,]+), without a kernel's NFS/m)
  return share
}

const foldersOf = (share: string) => readdirSync(share).toSorted()

test('a claim of nfs-slow lives its life, and the page shows it', { timeout: 280_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-up-volumes-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const kubeconfig = join(folder, 'kubeconfig')
  await using ballast = startBallast(['up', '--cluster', example, '--kubeconfig-out', kubeconfig, '--port', '0'])
  const share = await shareOf(ballast)
  await ballast.said(/Ask for a volume, and see its folder:[\s\S]*Ctrl-C ends it/)
  const api = await asAdministrator(kubeconfig)
  // Volumes that the household has already.
  const before = foldersOf(share)
  expect(before).toHaveLength(4)

  await apply(api, 'claim.yaml', claims)
  const { spec } = await until(api, claims, 'album', isBound)
  const volume = textAt({ spec }, 'spec', 'volumeName') ?? ''
  const stored = await api.resource<KubeObject>(volumes).get(volume, { signal })
  expect(textAt(stored, 'spec', 'csi', 'volumeHandle')).toBe(`candlekeep#kubernetes#${volume}##`)
  await ballast.said(/nfs {8}photos\/album has the volume candlekeep#kubernetes#pvc-/)
  writeFileSync(join(share, volume, 'beach'), 'sand')

  const more = { spec: { resources: { requests: { storage: '2Gi' } } } }
  await api.resource(claims).patch('album', { type: 'merge', body: more }, { namespace, signal })
  await until(api, claims, 'album', object => textAt(object, 'status', 'capacity', 'storage') === '2Gi')

  await apply(api, 'snapshot.yaml', snapshots)
  await until(api, snapshots, 'monday', object => at(object, 'status', 'readyToUse') === true)
  rmSync(join(share, volume, 'beach'))
  await apply(api, 'restored.yaml', claims)
  const restored = textAt(await until(api, claims, 'restored', isBound), 'spec', 'volumeName') ?? ''
  expect(readFileSync(join(share, restored, 'beach'), 'utf8')).toBe('sand')

  const [, url = ''] = await ballast.said(/^Ballast {2}(http:\S+)/m)
  const page = await vi.waitUntil(async () => {
    const text = await (await fetch(`${url}volumes`)).text()
    // The first look at how much it uses comes within a minute.
    return /photos\/album<[\s\S]*?2Gi<[\s\S]*?0Mi</.test(text) && text.includes('photos/monday') ? text : undefined
  }, patience)
  expect(page).toContain('6 volumes are on 1 NFS server.')

  await api.resource(snapshots).delete('monday', { namespace, signal })
  for (const name of ['album', 'restored']) await api.resource(claims).delete(name, { namespace, signal })
  await vi.waitUntil(async () => (await api.resource(contents).list({ signal })).items.length === 0, patience)
  await vi.waitUntil(() => foldersOf(share).length === before.length, patience)
  expect(foldersOf(share)).toEqual(before)
  await api.close()
  expect(await ballast.stop()).toBe(0)
  expect(ballast.words).toBe('configured by ConfigMap ballast-system/ballast-config\n')
  expect(existsSync(dirname(dirname(dirname(share))))).toBe(false)
})

test('with --state folders stay, and the next life goes on with them', { timeout: 280_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-up-volumes-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const kubeconfig = join(folder, 'kubeconfig')
  const state = join(folder, 'state')
  const up = () => startBallast(['up', '--cluster', example, '--state', state, '--kubeconfig-out', kubeconfig, '--no-dashboard'])
  let volume = ''
  {
    await using first = up()
    const share = await shareOf(first)
    expect(share).toBe(join(state, 'nfs', 'servers', 'candlekeep', 'kubernetes'))
    const api = await asAdministrator(kubeconfig)
    await apply(api, 'claim.yaml', claims)
    volume = textAt(await until(api, claims, 'album', isBound), 'spec', 'volumeName') ?? ''
    writeFileSync(join(share, volume, 'beach'), 'sand')
    await api.close()
    await first.said(/Ctrl-C ends it/)
    expect(await first.stop()).toBe(0)
  }
  await using second = up()
  const share = await shareOf(second)
  expect(readFileSync(join(share, volume, 'beach'), 'utf8')).toBe('sand')
  const api = await asAdministrator(kubeconfig)
  await api.resource(claims).delete('album', { namespace, signal })
  await vi.waitUntil(() => !existsSync(join(share, volume)), patience)
  await api.close()
})
