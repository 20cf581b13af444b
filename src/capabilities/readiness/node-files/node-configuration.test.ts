// Files that are written to a node by an image that it has: which image, in which order, and a pod that carries nothing in its script.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import { nodeFacts } from '../node-facts.ts'
import { candidates } from './base-images.ts'
import { configurationPod, configurationPodName, endOf } from './configuration-pod.ts'
import { configurationStep, noMemory } from './node-configuration.ts'

const nowMs = Date.parse('2026-03-02T04:00:00Z')
const pause = ['registry.k8s.io/pause@sha256:1', 'registry.k8s.io/pause:3.10']
const proxy = ['registry.k8s.io/kube-proxy@sha256:2', 'registry.k8s.io/kube-proxy:v1.34.1']
const cilium = ['quay.io/cilium/cilium:v1.18']
const ballast = ['ghcr.io/ballast/ballast:1']
const none = { baseImages: [], ownImage: undefined }

test.each([
  ['nothing that is known', [pause], none, []],
  ['by tag, not by digest', [pause, proxy], none, ['registry.k8s.io/kube-proxy:v1.34.1']],
  ['in the order of the list', [cilium, proxy], none, ['registry.k8s.io/kube-proxy:v1.34.1', 'quay.io/cilium/cilium:v1.18']],
  [
    'our own before those',
    [proxy, ballast],
    { baseImages: [], ownImage: ballast[0] },
    ['ghcr.io/ballast/ballast:1', 'registry.k8s.io/kube-proxy:v1.34.1'],
  ],
  [
    'the user’s before all',
    [proxy, ballast, pause],
    { baseImages: ['registry.k8s.io/pause'], ownImage: ballast[0] },
    ['registry.k8s.io/pause@sha256:1', 'ghcr.io/ballast/ballast:1', 'registry.k8s.io/kube-proxy:v1.34.1'],
  ],
  ['only what the node has', [pause], { baseImages: ['busybox:1'], ownImage: ballast[0] }, []],
  ['calico is a path', [['docker.io/calico/node:v3'], ['example.com/mycalico:1']], none, ['docker.io/calico/node:v3']],
] as const)('candidates: %s', (_, images, options, expected) => {
  expect(candidates(images, options)).toEqual(expected)
})

const set = {
  digest: 'sha256:new',
  files: [{ path: '/etc/containerd/certs.d/_default/hosts.toml', mode: 0o644, content: "[host.'http://10.0.0.7:30020']\n" }],
}
const order = {
  node: { name: 'n1', uid: 'u' },
  image: 'busybox:1',
  pull: 'Never',
  set,
  directories: ['/etc/containerd/certs.d'],
  namespace: 'ballast-agent',
} as const

function facts(
  over: {
    readonly images?: readonly (readonly string[])[]
    readonly annotations?: Readonly<Record<string, string>>
    readonly ageMs?: number
    readonly address?: string | null
  } = {},
) {
  const { images = [proxy], annotations = {}, ageMs = 0, address = '10.0.0.7' } = over
  return nodeFacts({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', uid: 'u', annotations, creationTimestamp: new Date(nowMs - ageMs).toISOString() },
    status: { images: images.map(names => ({ names })), addresses: address === null ? [] : [{ type: 'InternalIP', address }] },
  })
}

const at = {
  digest: 'sha256:new',
  pod: undefined,
  memory: noMemory,
  images: { baseImages: [], ownImage: ballast[0] },
  nowMs,
} as const
const podThat = (end: ReturnType<typeof endOf>, digest = 'sha256:new') => ({ ...at, pod: { end, isLeaving: false, digest } })
const spent = new Set(['registry.k8s.io/kube-proxy:v1.34.1'])

test.each([
  ['an image is there', facts(), at, { kind: 'create', image: 'registry.k8s.io/kube-proxy:v1.34.1', pull: 'Never' }],
  ['written already', facts({ annotations: { 'ballast.dev/mirror-config': 'sha256:new' } }), at, { kind: 'done' }],
  [
    'another set was written',
    facts({ annotations: { 'ballast.dev/mirror-config': 'sha256:old' } }),
    at,
    { kind: 'create', image: 'registry.k8s.io/kube-proxy:v1.34.1', pull: 'Never' },
  ],
  ['no address yet', facts({ address: null }), at, { kind: 'wait' }],
  ['no images listed yet', facts({ images: [] }), at, { kind: 'wait', untilMs: nowMs + 60_000 }],
  ['none listed after a minute', facts({ images: [], ageMs: 60_000 }), at, { kind: 'exhausted' }],
  ['a clock far ahead is not waited for', facts({ images: [], ageMs: -3_600_000 }), at, { kind: 'exhausted' }],
  ['the pod runs', facts(), podThat({ kind: 'running' }), { kind: 'wait' }],
  ['the pod runs for an older set', facts(), podThat({ kind: 'running' }, 'sha256:old'), { kind: 'remove' }],
  ['the pod has written', facts(), podThat({ kind: 'written', digest: 'sha256:new' }), { kind: 'note', digest: 'sha256:new' }],
  ['the image has no shell', facts(), podThat({ kind: 'unsuitable', image: 'a', why: 'StartError' }), { kind: 'give-up' }],
  ['nothing is left: said once', facts(), { ...at, memory: { ...noMemory, unsuitable: spent } }, { kind: 'exhausted' }],
  [
    'then half a minute',
    facts(),
    { ...at, memory: { ...noMemory, unsuitable: spent, exhaustedMs: nowMs } },
    { kind: 'wait', untilMs: nowMs + 30_000 },
  ],
  [
    'then ours, which is pulled',
    facts(),
    { ...at, memory: { ...noMemory, unsuitable: spent, exhaustedMs: nowMs - 30_000 } },
    { kind: 'create', image: ballast[0], pull: 'IfNotPresent' },
  ],
  [
    'a while after one that failed',
    facts(),
    { ...at, memory: { ...noMemory, failedMs: nowMs - 10_000 } },
    { kind: 'wait', untilMs: nowMs + 20_000 },
  ],
] as const)('next step: %s', (_, node, situation, expected) => {
  expect(configurationStep(node, situation)).toMatchObject(expected)
})

test.each([
  ['Succeeded', undefined, 'written'],
  ['Running', undefined, 'running'],
  ['Pending', { waiting: { reason: 'ErrImageNeverPull' } }, 'unsuitable'],
  ['Pending', { waiting: { reason: 'ContainerCreating' } }, 'running'],
  ['Failed', { terminated: { exitCode: 127 } }, 'unsuitable'],
  ['Failed', { terminated: { exitCode: 126 } }, 'unsuitable'],
  ['Failed', { terminated: { exitCode: 128, reason: 'StartError' } }, 'unsuitable'],
  ['Failed', { terminated: { exitCode: 1, reason: 'Error' } }, 'failed'],
] as const)('a pod that is %s, %j, has %s', (phase, state, kind) => {
  const pod: Pod = {
    ...configurationPod(order),
    status: { phase, ...(state === undefined ? {} : { containerStatuses: [{ name: 'write', state }] }) },
  }
  expect(endOf(pod).kind).toBe(kind)
})

describe('the pod', () => {
  test('has no token, no capability, tolerates all, and pulls nothing', () => {
    const { metadata, spec } = configurationPod(order)
    expect(metadata.name).toBe(configurationPodName('n1'))
    expect(spec).toMatchObject({
      nodeName: 'n1',
      restartPolicy: 'Never',
      activeDeadlineSeconds: 60,
      automountServiceAccountToken: false,
      priorityClassName: 'system-node-critical',
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          imagePullPolicy: 'Never',
          securityContext: { runAsUser: 0, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ mountPath: '/etc/containerd/certs.d' }],
        },
      ],
      volumes: [{ hostPath: { path: '/etc/containerd/certs.d', type: 'DirectoryOrCreate' } }],
    })
  })

  test('its script, run by a shell, writes what it is given, whatever that is', () => {
    const root = mkdtempSync(join(tmpdir(), 'ballast-files-'))
    try {
      const hostile = '\'; touch PWNED; echo $(id) `id` $HOME \\ "\n$FILE_0_PATH'
      const files = [
        { path: join(root, 'a b', 'hosts.toml'), mode: 0o644, content: hostile },
        { path: join(root, 'secret'), mode: 0o600, content: '' },
      ]
      const [container] = configurationPod({ ...order, set: { ...set, files } }).spec.containers
      const command: unknown = container?.['command']
      const env: unknown = container?.['env']
      if (!Array.isArray(command) || !Array.isArray(env)) throw new Error('the pod has no command')
      expect(command.join(' ')).not.toContain('PWNED')
      // As a kubelet hands them over: `$$` is `$`.
      const variables = Object.fromEntries(env.map(({ name, value }) => [name, String(value).replaceAll('$$', '$')]))
      execFileSync(String(command[0]), command.slice(1).map(String), {
        env: { PATH: process.env['PATH'], ...variables },
        cwd: root,
      })
      expect(readFileSync(join(root, 'a b', 'hosts.toml'), 'utf8')).toBe(hostile)
      expect(statSync(join(root, 'a b', 'hosts.toml')).mode & 0o777).toBe(0o644)
      expect(statSync(join(root, 'secret')).mode & 0o777).toBe(0o600)
      expect(() => statSync(join(root, 'PWNED'))).toThrow('ENOENT')
    } finally {
      rmSync(root, { recursive: true })
    }
  })
})
