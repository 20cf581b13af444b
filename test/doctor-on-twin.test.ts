// What doctor reads of a cluster, over its API: a twin on which Reloader stands, with rights and without.

import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwin } from '#twin/twin.ts'
import { defaultAnnotationKeys, fixedAnnotationKeys } from '../src/capabilities/reload/annotations.ts'
import { knownReloadKeys } from '../src/capabilities/reload/doctor/reload-annotations.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects as installation } from '../src/deployment/objects.ts'
import { examineCluster } from '../src/doctor/checks.ts'
import { gatherCluster } from '../src/doctor/gather-cluster.ts'
import { ownFacts, readOwnConfigMap } from '../src/doctor/own-facts.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { surroundings, workload } from './reload-cluster.ts'
import { upstreamInstallation, users } from './swap-site.ts'

const signal = new AbortController().signal
const startMs = Date.parse('2026-03-02T04:00:00Z')

async function look(objects: readonly KubeObject[], options: { readonly helmSecrets?: boolean; readonly user?: string } = {}) {
  const clock = new VirtualClock(startMs)
  await using twin = await startTwin({ clock, seed: 1, objects: [...surroundings(objects), ...objects] })
  const credentials = options.user === undefined ? { admin: true as const } : { user: options.user, groups: [] }
  const api: Api = openApi(twin.transport(credentials), { clock, userAgent: 'ballast-test' })
  const { helmSecrets = false } = options
  const gathered = await gatherCluster({ api, signal, helmSecrets })
  const nowMs = clock.now()
  const configMap = await readOwnConfigMap(api, gathered.objects, signal)
  const ours = ownFacts(gathered.objects, configMap, { capabilities: enabledCapabilities, nowMs })
  const findings = examineCluster({ ...gathered, nowMs, ours })
  return { gathered, ours, findings, ids: findings.map(({ id }) => id), requests: twin.requests.total }
}

const ballast = (enable: readonly string[]) =>
  installation(installationValues({ enable }, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', 'ballast-system'),
  })

test('Reloader is found, and what hangs in its cluster', async () => {
  const typo = workload({ name: 'typo', annotations: { 'reloader.stakater.com/autos': 'true' } })
  const { ids, gathered, requests } = await look([...users, ...upstreamInstallation(), typo])
  expect(gathered.unread).toEqual([])
  expect(ids).toEqual(['reload-annotation-unknown', 'upstream-present'])
  expect(requests).toBeLessThan(60)
})

test('Ballast as it is installed has every right that it needs, and no other', async () => {
  const { ours, ids, requests } = await look([...users, ...ballast(['reload'])], { helmSecrets: true })
  expect(ours).toMatchObject({ namespace: 'ballast-system', account: 'ballast-controller', isRunning: true })
  expect(ours?.enabled).toContain('reload')
  expect(ids).toEqual([])
  expect(requests).toBeLessThanOrEqual(60)
})

test('a right that somebody took away is missing; both Reloaders at once are one too many', async () => {
  const taken = ballast(['reload']).filter(
    ({ kind, metadata }) => !(kind === 'ClusterRoleBinding' && metadata.name.endsWith('-workloads')),
  )
  const { ids } = await look([...users, ...taken, ...upstreamInstallation()])
  expect(ids).toContain('rbac-missing')
  expect(ids).toContain('double-duty')
})

test('who may read little is told what was not looked at', async () => {
  const { gathered, findings } = await look([...users, ...upstreamInstallation()], { user: 'nobody' })
  expect(gathered.unread.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['deployments.apps', 'nodes']))
  expect(findings).toEqual([])
})

test('doctor knows every annotation of Reloader that reload reads or writes', () => {
  const keys = Object.values({ ...defaultAnnotationKeys, ...fixedAnnotationKeys }).filter(key =>
    key.includes('reloader.stakater.com'),
  )
  expect(keys.filter(key => !knownReloadKeys.includes(key))).toEqual([])
})

test("Helm's stored manifest is read where that is asked for, and the Secret is not kept", async () => {
  const release = { chart: { metadata: { name: 'reloader', version: '2.2.16' } }, manifest: 'kind: X' }
  const packed = gzipSync(JSON.stringify(release)).toString('base64')
  const secret: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'sh.helm.release.v1.reloader.v2',
      namespace: 'reloader',
      labels: { owner: 'helm', name: 'reloader', status: 'deployed' },
    },
    type: 'helm.sh/release.v1',
    data: { release: Buffer.from(packed).toString('base64') },
  }
  const { gathered } = await look([...users, ...upstreamInstallation(), secret], { helmSecrets: true })
  expect(gathered.objects.filter(({ kind }) => kind === 'HelmReleaseRecord')).toMatchObject([
    { metadata: { name: 'reloader', namespace: 'reloader' }, chart: 'reloader', version: '2.2.16', manifest: 'kind: X' },
  ])
  expect(gathered.objects.some(({ kind }) => kind === 'Secret')).toBe(false)
})
