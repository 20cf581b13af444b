// Uninstalling where the mirror wrote containerd's hosts files: the mirror goes, then each node gets back what it had, then the rest goes.
import { expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { DaemonSet, KubeObject } from '#kube/objects/objects.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { cleanupSetOf } from '../src/capabilities/mirror/deploy/given-back.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { type Removal, remove } from '../src/deployment/removal/removal.ts'
import type { RemovalOptions } from '../src/deployment/removal/removal-run.ts'
import { resourceOf } from '../src/migration/writes.ts'
import { enabledCapabilities as capabilities } from '../src/process/enabled-capabilities.ts'

const signal = new AbortController().signal
const release = plainRelease('ballast', 'ballast-system')

const node = (name: string, isReady = true): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/os': 'linux' } },
  status: {
    allocatable: { cpu: '8', memory: '32Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
  },
})

const made = (set: readonly string[] = []) =>
  objects(installationValues({ enable: ['mirror'], preset: { namespace: { create: true } }, set }, capabilities), {
    capabilities,
    release,
  })

const mirrorOf = (all: readonly KubeObject[]) => all.find(({ kind }) => kind === 'DaemonSet') as DaemonSet | undefined

test('the pod that gives back is the one that wrote: its image, its nodes, its directory, and no right', () => {
  const set = mirrorOf(made(['capabilities.mirror.containerdRegistryConfigPath=/etc/cri/conf.d/hosts']))
  if (set === undefined) throw new Error('there is no mirror')
  const writer: unknown = Object(set.spec.template.spec).initContainers[0]
  expect(cleanupSetOf(set, 'ballast')).toMatchObject({
    metadata: { name: 'ballast-mirror-cleanup', namespace: 'ballast-agent' },
    spec: {
      template: {
        spec: {
          automountServiceAccountToken: false,
          hostNetwork: true,
          tolerations: Object(set.spec.template.spec).tolerations,
          containers: [
            {
              image: Object(writer).image,
              args: ['spegel', 'cleanup', '--addr=:29992', '--containerd-registry-config-path=/etc/cri/conf.d/hosts'],
              volumeMounts: [{ name: 'registry-config', mountPath: '/etc/cri/conf.d/hosts' }],
            },
          ],
          volumes: [{ name: 'registry-config', hostPath: { path: '/etc/cri/conf.d/hosts', type: 'DirectoryOrCreate' } }],
        },
      },
    },
  })
  const unwritten = mirrorOf(made(['capabilities.mirror.nodeConfiguration.mode=none']))
  expect(unwritten === undefined ? 'no mirror' : cleanupSetOf(unwritten, 'ballast')).toBeUndefined()
})

interface Site extends AsyncDisposable {
  readonly twin: Twin
  readonly api: Api
  uninstall(change?: Partial<RemovalOptions>): Promise<Removal>
}

async function installed(
  nodes: readonly KubeObject[],
  change: (object: KubeObject) => KubeObject = object => object,
): Promise<Site> {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const twin = await startTwin({ clock, seed: 1, objects: [...nodes] })
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  for (const object of made())
    await api.resource(resourceOf(object)).create(change(object), { signal, namespace: object.metadata.namespace })
  await clock.advance(60_000)
  return {
    twin,
    api,
    async uninstall(options = {}) {
      const asked = { api, clock, capabilities, namespace: 'ballast-system', release: 'ballast', signal }
      const keep: RemovalOptions['keep'] = new Set(['crds'])
      const running = remove({ ...asked, keep, dryRun: false, ...options })
      let isOver = false
      const over = () => {
        isOver = true
      }
      running.then(over, over)
      await clock.runUntil(() => isOver, { limitMs: 3_600_000 })
      return await running
    },
    [Symbol.asyncDispose]: () => twin.stop(),
  }
}

const giving = 'give containerd its hosts files back on the nodes of DaemonSet ballast-agent/ballast-agent-mirror'
const sets = ({ twin }: Site) => twin.access.list('daemonsets.apps').map(({ metadata }) => metadata.name)

test('the mirror goes first, then the files come back, and nothing of it is left', async () => {
  await using site = await installed([node('n1'), node('n2')])
  const planned = await site.uninstall({ dryRun: true })
  expect(planned.done).toContain(giving)
  expect(sets(site)).toEqual(['ballast-agent-mirror'])
  const { done, left } = await site.uninstall()
  expect(left).toEqual([])
  const told = done.filter(line => /DaemonSet|daemonsets/.test(line))
  expect(told).toEqual([
    'delete daemonsets.apps ballast-agent/ballast-agent-mirror',
    'delete daemonsets.apps ballast-agent/ballast-mirror-cleanup',
    giving,
  ])
  expect(sets(site)).toEqual([])
  expect(done).toContain('delete namespaces ballast-agent')
})

test('a node that is away is named, and everything else goes', async () => {
  await using site = await installed([node('n1'), node('n2')])
  site.twin.fault({ node: { names: ['n2'], action: 'crash' } })
  const { left } = await site.uninstall()
  expect(left.filter(line => line.startsWith(giving))).toEqual([expect.stringContaining('not on n2: what is there names a port')])
  expect(sets(site)).toEqual([])
})

test('of Helm’s release the hook does it', async () => {
  const ofHelm = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, 'meta.helm.sh/release-name': 'ballast' } },
  })
  await using site = await installed([node('n1')], ofHelm)
  expect((await site.uninstall({ keep: new Set(['crds', 'objects']) })).done).not.toContain(giving)
  expect(sets(site)).toEqual(['ballast-agent-mirror'])
})

test('where objects are kept, the files come back and it is said who may write them again', async () => {
  await using site = await installed([node('n1')])
  const { done, left } = await site.uninstall({ keep: new Set(['crds', 'objects']) })
  expect(done).toContain(giving)
  expect(left).toEqual([expect.stringContaining('a pod of it that starts anew writes the hosts files again')])
  expect(sets(site)).toEqual(['ballast-agent-mirror'])
})
