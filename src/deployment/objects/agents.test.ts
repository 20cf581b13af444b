import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { type Asked, installationValues, plainRelease } from '../installation.ts'
import { objects } from '../objects.ts'
import { chartFiles } from '../packaging/chart.ts'
import { kustomizeFiles } from '../packaging/kustomize.ts'
import { platforms, platformValues } from '../values/platforms.ts'

const release = plainRelease('ballast', 'ballast-system')
const made = (asked: Asked = {}) =>
  objects(installationValues({ enable: ['mirror'], disable: ['readiness'], ...asked }, capabilities), { capabilities, release })
const namesOf = (list: readonly KubeObject[]) =>
  list.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)

interface PodTemplate {
  readonly spec: {
    readonly hostNetwork?: boolean
    readonly dnsPolicy?: string
    readonly serviceAccountName: string
    readonly automountServiceAccountToken: boolean
    readonly priorityClassName: string
    readonly tolerations: readonly object[]
    readonly initContainers?: readonly Container[]
    readonly containers: readonly Container[]
    readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[]
  }
}
interface Container {
  readonly name: string
  readonly args: readonly string[]
  readonly ports?: readonly object[]
  readonly securityContext: object
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[]
  readonly startupProbe?: object
}

function podOf(asked: Asked = {}): PodTemplate['spec'] {
  const set = made(asked).find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === 'ballast-agent-mirror')
  if (set === undefined) throw new Error('there is no DaemonSet')
  const { template } = set['spec'] as { readonly template: PodTemplate }
  return template.spec
}

test('nothing runs on nodes unless something is enabled that does', () => {
  const quiet = objects(installationValues({ disable: ['mirror', 'readiness'] }, capabilities), { capabilities, release })
  expect(namesOf(quiet).filter(name => /agent|DaemonSet/.test(name))).toEqual([])
})

test('what a role takes of its machine is there with the role alone', () => {
  const agentOf = (...set: readonly string[]) => {
    const [agent] = made({ enable: ['features'], disable: ['mirror', 'readiness'], set }).filter(
      ({ kind }) => kind === 'DaemonSet',
    )
    if (agent === undefined) throw new Error('there is no DaemonSet')
    const { containers, volumes } = (agent['spec'] as { readonly template: PodTemplate }).template.spec
    return {
      roles: containers.map(({ name }) => name),
      paths: volumes.flatMap(({ hostPath }) => hostPath?.path ?? []),
      containers,
    }
  }
  const socket = '/var/lib/kubelet/pod-resources'
  expect(agentOf().roles).toEqual(['features'])
  expect(agentOf().paths).not.toContain(socket)
  const whole = agentOf('capabilities.features.topology.enabled=true')
  expect(whole.roles).toEqual(['features', 'topology'])
  expect(whole.paths).toContain(socket)
  const user = { runAsUser: 0, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false }
  expect(whole.containers[1]?.securityContext).toMatchObject(user)
  expect(whole.containers[0]?.volumeMounts.map(({ name }) => name)).not.toContain('host-var-lib-kubelet-pod-resources')
})

test('containers of one pod do not take the same port', () => {
  const asked = { enable: ['features', 'readiness'], disable: ['mirror'], set: ['capabilities.features.topology.enabled=true'] }
  const [agent] = made(asked).filter(({ kind }) => kind === 'DaemonSet')
  if (agent === undefined) throw new Error('there is no DaemonSet')
  const { containers } = (agent['spec'] as { readonly template: PodTemplate }).template.spec
  expect(containers.map(({ name, args }) => [name, args.find(text => text.startsWith('--health'))])).toEqual([
    ['features', '--health-probe-bind-address=:8082'],
    ['topology', '--health-probe-bind-address=:8085'],
    ['readiness', '--health-probe-bind-address=:8081'],
  ])
})

test('the controller runs where every node waits for it, and says nothing of taints where it does not hold nodes', () => {
  const tolerationsOf = (asked: Asked) => {
    const controller = made(asked).find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'ballast-controller')
    if (controller === undefined) throw new Error('there is no controller')
    return (controller['spec'] as { readonly template: PodTemplate }).template.spec.tolerations
  }
  const key = 'startup-taint.cluster-autoscaler.kubernetes.io/ballast-agent-not-ready'
  const own = { operator: 'Exists', effect: 'NoSchedule' }
  expect(tolerationsOf({})).toBeUndefined()
  expect(tolerationsOf({ enable: ['readiness'], disable: [] })).toEqual([{ key: 'ballast.dev/agent-not-ready', ...own }])
  expect(
    tolerationsOf({
      enable: ['readiness'],
      disable: [],
      values: {
        text: `controller: {tolerations: [{operator: Exists}]}\ncapabilities: {readiness: {taintKey: ${key}}}`,
        file: 'values.yaml',
      },
    }),
  ).toEqual([{ key, ...own }, { operator: 'Exists' }])
})

test('as Kustomize builds it the controller tolerates the taint with the component of readiness only', () => {
  const files = kustomizeFiles(capabilities)
  const key = 'ballast.dev/agent-not-ready'
  expect(files.get('base/install.yaml')).not.toContain(`key: ${key}`)
  const mention = [...files].filter(([path, text]) => /^components\/.*kustomization\.yaml$/.test(path) && text.includes(key))
  expect(mention.map(([path]) => path)).toEqual(['components/readiness/kustomization.yaml'])
})

describe('the mirror', () => {
  test('has a namespace of its own, which admits what it mounts, and no right', () => {
    const found = namesOf(made()).filter(name => /agent/.test(name) && !/ballast-controller/.test(name))
    expect(found).toEqual([
      'Namespace /ballast-agent',
      'ResourceQuota ballast-agent/ballast-critical-pods',
      'ServiceAccount ballast-agent/ballast-agent-mirror',
      'ConfigMap ballast-agent/ballast-config',
      'Service ballast-agent/ballast-agent-mirror',
      'DaemonSet ballast-agent/ballast-agent-mirror',
    ])
    const namespace = made().find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === 'ballast-agent')
    expect(namespace?.metadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'privileged',
      'pod-security.kubernetes.io/warn': 'baseline',
    })
  })

  test('is on the host, declares no port, and has nothing of its node but what it serves', () => {
    const pod = podOf()
    expect(pod).toMatchObject({
      hostNetwork: true,
      automountServiceAccountToken: false,
      priorityClassName: 'system-node-critical',
      tolerations: [
        { key: 'CriticalAddonsOnly', operator: 'Exists' },
        { effect: 'NoExecute', operator: 'Exists' },
        { effect: 'NoSchedule', operator: 'Exists' },
      ],
    })
    expect(pod.dnsPolicy).toBeUndefined()
    const [container] = pod.containers
    expect(container?.ports).toBeUndefined()
    expect(container?.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    })
    expect(container?.startupProbe).toEqual({
      httpGet: { path: '/readyz', port: 29_997 },
      periodSeconds: 3,
      failureThreshold: 60,
      timeoutSeconds: 2,
    })
    const writable = container?.volumeMounts.filter(({ readOnly }) => readOnly !== true).map(({ mountPath }) => mountPath)
    expect(writable).toEqual(['/tmp', '/var/lib/ballast/mirror'])
    expect(pod.volumes.flatMap(({ hostPath }) => (hostPath === undefined ? [] : [hostPath.path]))).toEqual([
      '/run/containerd',
      '/var/lib/containerd/io.containerd.content.v1.content',
      '/var/lib/ballast/mirror',
      '/etc/containerd/certs.d',
    ])
  })

  test('writes hosts files in a container before it, which alone may; not where somebody else does', () => {
    const [init] = podOf().initContainers ?? []
    expect(init?.args).toContain('--write-hosts')
    expect(init?.volumeMounts).toContainEqual({ name: 'registry-config', mountPath: '/etc/containerd/certs.d' })
    const looked = {
      name: 'registry-config',
      mountPath: '/etc/containerd/certs.d',
      readOnly: true,
      mountPropagation: 'HostToContainer',
    }
    expect(podOf().containers[0]?.volumeMounts).toContainEqual(looked)
    for (const mode of ['operator', 'none']) {
      const pod = podOf({ set: [`capabilities.mirror.nodeConfiguration.mode=${mode}`] })
      expect(pod.initContainers ?? []).toEqual([])
      expect(pod.volumes.some(({ name }) => name === 'registry-config')).toBe(mode === 'operator')
    }
  })

  test('gets a token only where it finds the others by the API', () => {
    const token = (asked: Asked) => podOf(asked).volumes.some(({ name }) => name === 'api-access')
    expect(token({})).toBe(false)
    const asked: Asked = { set: ['capabilities.mirror.bootstrapKind=kubernetes'] }
    expect(token(asked)).toBe(true)
    const roles = made(asked).filter(({ kind, metadata }) => kind === 'Role' && metadata.name.startsWith('ballast-agent-mirror'))
    expect(roles.map(role => [role.metadata.namespace, role['rules']])).toEqual([
      ['ballast-agent', [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list'] }]],
    ])
  })

  test('asks names of the cluster only where they lead it to the others', () => {
    const asked: Asked = { set: ['capabilities.mirror.bootstrapKind=dns'] }
    expect(podOf(asked).dnsPolicy).toBe('ClusterFirstWithHostNet')
    expect(podOf(asked).containers[0]?.args).toContain('--dns-bootstrap-domain=ballast-agent-mirror.ballast-agent.svc')
  })

  test('in the namespace of the release there is one namespace, one configuration, and the controller knows', () => {
    const list = made({ set: ['agent.namespace=ballast-system'], preset: { namespace: { create: true } } })
    expect(namesOf(list).filter(name => /^(Namespace|ConfigMap)/.test(name))).toEqual([
      'Namespace /ballast-system',
      'ConfigMap ballast-system/ballast-config',
    ])
    const controller = JSON.stringify(list.find(({ kind }) => kind === 'Deployment'))
    expect(controller).toContain('{"name":"BALLAST_AGENT_NAMESPACE","value":"ballast-system"}')
  })

  test('the controller may keep three objects for it, and reads no other Secret', () => {
    const rules = made()
      .filter(({ kind, metadata }) => kind === 'Role' && metadata.namespace === 'ballast-agent')
      .flatMap(
        role =>
          role['rules'] as readonly {
            readonly resources: readonly string[]
            readonly resourceNames?: readonly string[]
            readonly verbs: readonly string[]
          }[],
      )
    expect(
      rules.map(({ resources, resourceNames, verbs }) => [resources.join(), resourceNames?.join() ?? '', verbs.join()]),
    ).toEqual([
      ['configmaps', 'ballast-mirror-peers', 'get,patch'],
      ['configmaps', '', 'create'],
      ['secrets', 'ballast-agent-tls', 'get,patch'],
      ['secrets', '', 'create'],
    ])
  })
})

test.each(Object.keys(platforms))('%s: values that are accepted, and lead to paths of nodes', name => {
  const pod = podOf({ preset: platformValues(name) })
  expect(pod.volumes.find(volume => volume.name === 'content')?.hostPath?.path).toMatch(/io\.containerd\.content\.v1\.content$/)
  expect(chartFiles(capabilities).has(`platforms/${name}.yaml`)).toBe(true)
})

test('of k3s: its own socket, content and hosts files', () => {
  const pod = podOf({ preset: platformValues('k3s') })
  expect(pod.volumes.flatMap(({ hostPath }) => (hostPath === undefined ? [] : [hostPath.path]))).toEqual([
    '/run/k3s/containerd',
    '/var/lib/rancher/k3s/agent/containerd/io.containerd.content.v1.content',
    '/var/lib/ballast/mirror',
    '/var/lib/rancher/k3s/agent/etc/containerd/certs.d',
  ])
})

test('network policies let the controller ask mirrors to pull, and the page read their counts; nobody without mirrors', () => {
  const portsOf = (asked: Asked, name: string) => {
    const policy = made(asked).find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === name)
    if (policy === undefined) throw new Error(`there is no policy ${name}`)
    const { egress } = policy['spec'] as {
      readonly egress: readonly { readonly ports: readonly { readonly port: number }[] }[]
    }
    return egress.flatMap(({ ports }) => ports.map(({ port }) => port))
  }
  const set = ['networkPolicy.enabled=true', 'apiserver.enabled=true', 'dashboard.enabled=true']
  const api = [53, 53, 443, 6443]
  expect(portsOf({ set }, 'ballast-controller')).toEqual([...api, 29_996])
  expect(portsOf({ set }, 'ballast-apiserver')).toEqual([...api, 29_997])
  expect(portsOf({ set: [...set, 'capabilities.mirror.metricsPort=9090'] }, 'ballast-apiserver')).toEqual([...api, 9_090])
  for (const name of ['ballast-controller', 'ballast-apiserver']) expect(portsOf({ set, enable: [] }, name)).toEqual(api)
})
