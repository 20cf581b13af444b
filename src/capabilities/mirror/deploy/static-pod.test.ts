import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { type Asked, installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { platformValues } from '#deployment/values/platforms.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { mirrorStaticPod } from './static-pod.ts'

const release = plainRelease('ballast', 'ballast-system')
const made = (asked: Asked = {}) =>
  objects(installationValues({ enable: ['mirror'], ...asked }, capabilities), { capabilities, release })

const volume = z.looseObject({ name: z.string(), hostPath: z.object({ path: z.string(), type: z.string() }).optional() })
const container = z.looseObject({
  name: z.string(),
  args: z.array(z.string()),
  imagePullPolicy: z.string(),
  volumeMounts: z.array(z.object({ name: z.string() })),
})
const podShape = z.object({
  kind: z.literal('Pod'),
  metadata: z.object({ name: z.string(), namespace: z.string(), annotations: z.record(z.string(), z.string()) }),
  spec: z.looseObject({
    volumes: z.array(volume),
    containers: z.array(container),
    initContainers: z.array(container).optional(),
  }),
})
const podOf = (asked: Asked = {}) => podShape.parse(mirrorStaticPod(made(asked)))

describe('the mirror as a static pod', () => {
  test('refers to nothing of the API: no ConfigMap, Secret, token, ServiceAccount, and no choice of node', () => {
    const { spec } = podOf({ set: ['capabilities.mirror.basicAuthSecretName=who'] })
    expect(JSON.stringify(spec)).not.toMatch(/"(configMap|secret|secretKeyRef|configMapKeyRef|serviceAccountName|projected)"/)
    for (const key of ['serviceAccountName', 'nodeSelector', 'affinity', 'imagePullSecrets']) expect(spec).not.toHaveProperty(key)
    expect(spec).toMatchObject({
      hostNetwork: true,
      automountServiceAccountToken: false,
      priorityClassName: 'system-node-critical',
      priority: 2_000_001_000,
    })
  })

  test('is what the DaemonSet runs, from an image that the machine has', () => {
    const { metadata, spec } = podOf()
    expect(metadata).toMatchObject({ name: 'ballast-mirror', namespace: 'ballast-agent' })
    expect(spec.containers.map(({ name }) => name)).toEqual(['mirror'])
    expect((spec.initContainers ?? []).map(({ name }) => name)).toEqual(['configuration'])
    expect([...spec.containers, ...(spec.initContainers ?? [])].map(({ imagePullPolicy }) => imagePullPolicy)).toEqual([
      'IfNotPresent',
      'IfNotPresent',
    ])
    expect(podOf({ set: ['image.pullPolicy=Never'] }).spec.containers[0]?.imagePullPolicy).toBe('Never')
    const names = new Set(spec.volumes.map(({ name }) => name))
    for (const { volumeMounts } of spec.containers) for (const { name } of volumeMounts) expect(names).toContain(name)
  })

  test('carries its configuration with it', () => {
    const { metadata, spec } = podOf({ preset: { capabilities: { mirror: { registries: ['https://registry.example'] } } } })
    const config = spec.volumes.find(({ name }) => name === 'config')
    expect(config?.['downwardAPI']).toEqual({
      items: [{ path: 'config.yaml', fieldRef: { fieldPath: "metadata.annotations['ballast.dev/configuration']" } }],
    })
    expect(parse(metadata.annotations['ballast.dev/configuration'] ?? '')).toMatchObject({
      kind: 'BallastConfiguration',
      capabilities: { mirror: { enabled: true, registries: ['https://registry.example'] } },
    })
  })

  test('finds first peers and certificates on its machine', () => {
    const { spec } = podOf({ preset: platformValues('k3s') })
    expect(spec.volumes.flatMap(({ hostPath }) => (hostPath === undefined ? [] : [`${hostPath.path} ${hostPath.type}`]))).toEqual(
      [
        '/etc/ballast/mirror/peers DirectoryOrCreate',
        '/etc/ballast/mirror/tls DirectoryOrCreate',
        '/run/k3s/containerd Directory',
        '/var/lib/rancher/k3s/agent/containerd/io.containerd.content.v1.content Directory',
        '/var/lib/ballast/mirror DirectoryOrCreate',
        '/var/lib/rancher/k3s/agent/etc/containerd/certs.d DirectoryOrCreate',
      ],
    )
  })

  test('what it cannot have is refused by its name', () => {
    expect(() => podOf({ set: ['capabilities.mirror.bootstrapKind=kubernetes'] })).toThrow(
      'capabilities.mirror.bootstrapKind: found kubernetes, expected file, dns, http or static',
    )
    const preset = { mirror: { extraVolumes: [{ name: 'own', secret: { secretName: 'own' } }] } }
    expect(() => podOf({ preset })).toThrow('mirror.extraVolumes: found own, expected no ConfigMap and no Secret')
    expect(() => mirrorStaticPod(made({ enable: [] }))).toThrow('there is no mirror to make a pod of')
  })
})
