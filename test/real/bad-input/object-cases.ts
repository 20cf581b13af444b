// Objects that read well and mean nothing: names, labels, quantities, numbers, references.
import type { BadInputCase, BadInputGroup } from './case.ts'
import { type Body, casesOf, configMap, deployment, got, groupIn, pod, sent } from './requests.ts'

const namespace = 'objects'
const core = (resource: string) => `/api/v1/namespaces/${namespace}/${resource}`
const apps = (resource: string) => `/apis/apps/v1/namespaces/${namespace}/${resource}`

const quantities: Readonly<Record<string, string>> = {
  'an exponent of 19': '"1e19"',
  'a bare number': '1',
  'a fraction': '0.5',
  'a number with an exponent': '1e3',
  'a number of 400': '1e400',
  'an integer beyond int64': '9223372036854775808',
  'an integer beyond doubles': '9007199254740993',
  '40 digits': `"${'9'.repeat(40)}"`,
  '100,000 digits': `"${'9'.repeat(100_000)}"`,
  'a tiny fraction': '"0.0000000000001"',
  nano: '"1n"',
  'below nano': '"0.1n"',
  'a negative': '"-1"',
  empty: '""',
  'a word': '"lots"',
  'a space': '"1 "',
  'a plus': '"+1"',
  'two suffixes': '"1KiKi"',
  'a wrong suffix': '"1kb"',
  'two dots': '"1.2.3"',
  'only a suffix': '"Mi"',
  'only a dot': '"."',
  'a trailing dot': '"1."',
  'a leading dot': '".5"',
  infinity: '"Inf"',
  true: 'true',
  'an object': '{}',
  'a list': '[1]',
  null: 'null',
  'exponent and suffix': '"1e3Ki"',
  'upper exponent': '"1E3"',
  exa: '"1E"',
  exbi: '"8Ei"',
  'beyond exbi': '"9Ei"',
  'arabic digits': '"١"',
  NUL: '"1\\u0000"',
}

/** Each may keep a real server busy for good. */
const exponents: Readonly<Record<string, string>> = {
  'an exponent beyond int32': '"1e2147483648"',
  'an exponent of int32': '"1e2147483647"',
  'an exponent of a million': '"1e1000000"',
  'a negative exponent beyond int32': '"1e-2147483649"',
  'a negative exponent of a million': '"1e-1000000"',
  'a huge exponent': '"1e999999999999999999999"',
  'an exponent of 100': '"1e100"',
  'a huge number': '1e2147483648',
}

function quantityPod(name: string, resource: string, quantity: string): string {
  const resources = `{"requests":{"${resource}":${quantity}},"limits":{"${resource}":${quantity}}}`
  return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"${name}"},"spec":{"automountServiceAccountToken":false,"containers":[{"name":"c","image":"x","resources":${resources}}]}}`
}

const badNames: Readonly<Record<string, unknown>> = {
  'upper case': 'Abc',
  'an underscore': 'a_b',
  'a space': 'a b',
  'a slash': 'a/b',
  'a dot': '.',
  'two dots': '..',
  'a percent': 'a%2fb',
  'a leading dash': '-a',
  'a trailing dot': 'a.',
  empty: '',
  '253 letters': 'a'.repeat(253),
  '254 letters': 'a'.repeat(254),
  '100,000 letters': 'a'.repeat(100_000),
  'an accent': 'é',
  NUL: 'a\u0000',
  'a newline': 'a\nb',
  'a quote': 'a"b',
}

const badLabels: Readonly<Record<string, Body>> = {
  'a space in a value': { a: 'b c' },
  'a value of 64 letters': { a: 'b'.repeat(64) },
  'a value of a dash': { a: '-' },
  'a slash in a value': { a: 'b/c' },
  'an empty key': { '': 'b' },
  'a key with a space': { 'a b': 'c' },
  'a key of 64 letters': { ['a'.repeat(64)]: 'b' },
  'a prefix of 254 letters': { [`${'a'.repeat(254)}/b`]: 'c' },
  'a key with two slashes': { 'a/b/c': 'd' },
  'a prefix in upper case': { 'A/b': 'c' },
  'an empty prefix': { '/b': 'c' },
  'no name after the prefix': { 'a/': 'c' },
  several: { 'a b': 'c d', 'e/': '-' },
}

const metadata: Readonly<Record<string, Body>> = {
  'an annotation key with a space': { annotations: { 'a b': 'c' } },
  'an annotation key in upper case': { annotations: { 'A.b/C': 'c' } },
  'a finalizer without a slash': { finalizers: ['a b'] },
  'an empty finalizer': { finalizers: [''] },
  'the same finalizer twice': { finalizers: ['example.com/a', 'example.com/a'] },
  'an owner without a uid': { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n' }] },
  'an owner without anything': { ownerReferences: [{}] },
  'two controllers': {
    ownerReferences: [
      { apiVersion: 'v1', kind: 'Node', name: 'n', uid: '1', controller: true },
      { apiVersion: 'v1', kind: 'Node', name: 'm', uid: '2', controller: true },
    ],
  },
  'an Event as owner': { ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'n', uid: '1' }] },
  'an owner of a broken version': { ownerReferences: [{ apiVersion: 'a/b/c', kind: 'Node', name: 'n', uid: '1' }] },
  'a resourceVersion': { resourceVersion: '5' },
  'a resourceVersion of letters': { resourceVersion: 'abc' },
  'a negative generation': { generation: -1 },
  'another namespace': { namespace: 'elsewhere' },
  'a namespace in upper case': { namespace: 'Objects' },
  'a generateName of 300 letters': { name: undefined, generateName: 'a'.repeat(300) },
  'a generateName in upper case': { name: undefined, generateName: 'Abc-' },
  'neither name nor generateName': { name: undefined },
  'managedFields of a wrong operation': {
    managedFields: [{ manager: 'a', operation: 'Nothing', apiVersion: 'v1', fieldsType: 'FieldsV1' }],
  },
  'managedFields of a wrong type': {
    managedFields: [{ manager: 'a', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV9' }],
  },
  'managedFields of wrong fields': {
    managedFields: [{ manager: 'a', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'x:y': 1 } }],
  },
  'a manager of 200 letters': {
    managedFields: [{ manager: 'a'.repeat(200), operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }],
  },
}

const pods: Readonly<Record<string, Body>> = {
  'no spec': { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p0' } },
  'no containers': pod('p1', { containers: [] }),
  'containers null': pod('p2', { containers: null }),
  'a container of nothing': pod('p3', { containers: [{}] }),
  'a container null': pod('p4', { containers: [null] }),
  'two containers of one name': pod('p5', {
    containers: [
      { name: 'c', image: 'x' },
      { name: 'c', image: 'y' },
    ],
  }),
  'a container name in upper case': pod('p6', {}, { name: 'C' }),
  'an image with spaces': pod('p7', {}, { image: ' x ' }),
  'a port of 0': pod('p8', {}, { ports: [{ containerPort: 0 }] }),
  'a port of 65536': pod('p9', {}, { ports: [{ containerPort: 65536 }] }),
  'a port of 1e10': pod('p10', {}, { ports: [{ containerPort: 10_000_000_000 }] }),
  'a port that is a string': pod('p11', {}, { ports: [{ containerPort: '80' }] }),
  'a port that is a fraction': pod('p12', {}, { ports: [{ containerPort: 80.5 }] }),
  'a wrong protocol': pod('p13', {}, { ports: [{ containerPort: 80, protocol: 'tcp' }] }),
  'the same port twice': pod(
    'p14',
    {},
    {
      ports: [
        { name: 'a', containerPort: 80 },
        { name: 'a', containerPort: 81 },
      ],
    },
  ),
  'an env without a name': pod('p15', {}, { env: [{ value: 'x' }] }),
  'an env with = in its name': pod('p16', {}, { env: [{ name: 'a=b', value: 'x' }] }),
  'an env with value and valueFrom': pod(
    'p17',
    {},
    { env: [{ name: 'a', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
  ),
  'an env value a number': pod('p18', {}, { env: [{ name: 'a', value: 1 }] }),
  'a wrong fieldPath': pod('p19', {}, { env: [{ name: 'a', valueFrom: { fieldRef: { fieldPath: 'spec.nothing' } } }] }),
  'a wrong restartPolicy': pod('p20', { restartPolicy: 'Sometimes' }),
  'a wrong dnsPolicy': pod('p21', { dnsPolicy: 'Nothing' }),
  'a wrong pull policy': pod('p22', {}, { imagePullPolicy: 'Maybe' }),
  'a negative grace period': pod('p23', { terminationGracePeriodSeconds: -1 }),
  'a grace period beyond int64': pod('p24', { terminationGracePeriodSeconds: 1e19 }),
  'a mount without a volume': pod('p25', {}, { volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
  'two mounts at one path': pod(
    'p26',
    { volumes: [{ name: 'v', emptyDir: {} }] },
    {
      volumeMounts: [
        { name: 'v', mountPath: '/v' },
        { name: 'v', mountPath: '/v' },
      ],
    },
  ),
  'a volume of two sources': pod('p27', { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }] }),
  'two volumes of one name': pod('p28', {
    volumes: [
      { name: 'v', emptyDir: {} },
      { name: 'v', emptyDir: {} },
    ],
  }),
  'a hostPath with ..': pod('p29', { volumes: [{ name: 'v', hostPath: { path: '/a/../b' } }] }),
  'an empty selector value': pod('p30', { nodeSelector: { 'a b': 'c d' } }),
  'a toleration of a wrong effect': pod('p31', { tolerations: [{ key: 'a', operator: 'Exists', value: 'x', effect: 'Never' }] }),
  'a toleration without a key': pod('p32', { tolerations: [{ operator: 'Equal', value: 'x' }] }),
  'an affinity without terms': pod('p33', { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: {} } } }),
  'an affinity of a wrong operator': pod('p34', {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Is', values: ['b'] }] }],
        },
      },
    },
  }),
  'an affinity of weight 101': pod('p35', {
    affinity: {
      podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, podAffinityTerm: { topologyKey: 'a' } }] },
    },
  }),
  'an affinity without a topologyKey': pod('p36', {
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: {} }] } },
  }),
  'a spread of skew 0': pod('p37', { topologySpreadConstraints: [{ maxSkew: 0, topologyKey: '', whenUnsatisfiable: 'Never' }] }),
  'requests over limits': pod('p38', {}, { resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
  'an unknown resource': pod('p39', {}, { resources: { requests: { nothing: '1' } } }),
  'a huge page without cpu': pod('p40', {}, { resources: { requests: { 'hugepages-2Mi': '1Mi' } } }),
  'a fraction of an extended resource': pod('p41', {}, { resources: { limits: { 'example.com/gpu': '500m' } } }),
  'a probe of nothing': pod('p42', {}, { livenessProbe: {} }),
  'a probe of two handlers': pod('p43', {}, { livenessProbe: { exec: { command: ['x'] }, tcpSocket: { port: 1 } } }),
  'a probe of negative times': pod(
    'p44',
    {},
    { readinessProbe: { tcpSocket: { port: 'no such port name' }, periodSeconds: -1, timeoutSeconds: -1 } },
  ),
  'a successThreshold of 2 for liveness': pod('p45', {}, { livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }),
  'a hostNetwork with another hostPort': pod('p46', { hostNetwork: true }, { ports: [{ containerPort: 80, hostPort: 81 }] }),
  'a priority without a class': pod('p47', { priority: 5 }),
  'a class that is not there': pod('p48', { priorityClassName: 'nothing' }),
  'a nodeName in upper case': pod('p49', { nodeName: 'N' }),
  'a hostname in upper case': pod('p50', { hostname: 'H', subdomain: 'S' }),
  'a scheduling gate twice': pod('p51', { schedulingGates: [{ name: 'a.b/c' }, { name: 'a.b/c' }] }),
  'an activeDeadline of 0': pod('p52', { activeDeadlineSeconds: 0 }),
  'hostAliases of no address': pod('p53', { hostAliases: [{ ip: 'nowhere', hostnames: ['A'] }] }),
  'a run as -1': pod('p54', { securityContext: { runAsUser: -1, fsGroup: -5 } }),
  'a privileged container without escalation': pod(
    'p55',
    {},
    { securityContext: { privileged: true, allowPrivilegeEscalation: false } },
  ),
  'an ephemeral container on create': pod('p56', { ephemeralContainers: [{ name: 'e', image: 'x' }] }),
  'an init container with a lifecycle': pod('p57', {
    initContainers: [{ name: 'i', image: 'x', lifecycle: { preStop: { exec: { command: ['x'] } } } }],
  }),
  'an overhead of nonsense': pod('p58', { overhead: { cpu: '1' } }),
  'labels that are wrong': pod('p59', {}, {}, { labels: { 'a b': 'c d' } }),
  'a command of numbers': pod('p60', {}, { command: [1, 2] }),
  'a resize policy twice': pod('p61', {}, { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'Never' }] }),
  'the largest int64': pod('p62', {
    activeDeadlineSeconds: 2147483647,
    terminationGracePeriodSeconds: 1,
    securityContext: { runAsUser: 2147483648 },
  }),
  'sysctls that are wrong': pod('p63', {
    securityContext: {
      sysctls: [
        { name: 'a b', value: '1' },
        { name: 'a b', value: '1' },
      ],
    },
  }),
  'readiness gates that are wrong': pod('p64', { readinessGates: [{ conditionType: 'a b' }] }),
  'a wrong os': pod('p65', { os: { name: 'beos' } }),
}

const workloads: Readonly<Record<string, readonly [path: string, body: Body]>> = {
  'a Deployment without a selector': [apps('deployments'), { ...deployment('w1'), spec: { template: { spec: {} } } }],
  'a Deployment of another selector': [apps('deployments'), deployment('w2', { selector: { matchLabels: { other: 'x' } } })],
  'a Deployment of -1': [apps('deployments'), deployment('w3', { replicas: -1 })],
  'a Deployment of 1e10': [apps('deployments'), deployment('w4', { replicas: 10_000_000_000 })],
  'a Deployment of 2147483648': [apps('deployments'), deployment('w5', { replicas: 2_147_483_648 })],
  'a Deployment of half a replica': [apps('deployments'), deployment('w6', { replicas: 0.5 })],
  'a Deployment of "3"': [apps('deployments'), deployment('w7', { replicas: '3' })],
  'a surge of 0 and 0': [
    apps('deployments'),
    deployment('w8', { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
  ],
  'a surge of 101%': [
    apps('deployments'),
    deployment('w9', { strategy: { rollingUpdate: { maxSurge: '10', maxUnavailable: '101%' } } }),
  ],
  'a Recreate with rollingUpdate': [
    apps('deployments'),
    deployment('w10', { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }),
  ],
  'a strategy of nothing': [apps('deployments'), deployment('w11', { strategy: { type: 'Never' } })],
  'a deadline below minReady': [apps('deployments'), deployment('w12', { minReadySeconds: 10, progressDeadlineSeconds: 5 })],
  'a selector of a wrong operator': [
    apps('deployments'),
    deployment('w13', { selector: { matchExpressions: [{ key: 'app', operator: 'Is', values: ['w13'] }] } }),
  ],
  'a template that restarts never': [
    apps('deployments'),
    deployment('w14', {
      template: {
        metadata: { labels: { app: 'w14' } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] },
      },
    }),
  ],
  'a template with two faults': [
    apps('deployments'),
    deployment('w15', {
      template: { metadata: { labels: { app: 'w15' } }, spec: { containers: [{ name: 'C', ports: [{ containerPort: 0 }] }] } },
    }),
  ],
  'a Job that restarts always': [
    `/apis/batch/v1/namespaces/${namespace}/jobs`,
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j1' },
      spec: { template: { spec: { restartPolicy: 'Always', containers: [{ name: 'c', image: 'x' }] } } },
    },
  ],
  'a Job of -1': [
    `/apis/batch/v1/namespaces/${namespace}/jobs`,
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j2' },
      spec: {
        parallelism: -1,
        completions: -1,
        backoffLimit: -1,
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } },
      },
    },
  ],
  'a CronJob of no schedule': [
    `/apis/batch/v1/namespaces/${namespace}/cronjobs`,
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'c1' },
      spec: {
        schedule: '61 * * * *',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } } } },
      },
    },
  ],
  'a budget of both': [
    `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'b1' },
      spec: { minAvailable: 1, maxUnavailable: 1 },
    },
  ],
  'a budget of -5': [
    `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
    { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'b2' }, spec: { minAvailable: -5 } },
  ],
  'a budget of 150%': [
    `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
    { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'b3' }, spec: { minAvailable: '150%' } },
  ],
  'a Service without ports': [core('services'), { apiVersion: 'v1', kind: 'Service', metadata: { name: 's1' }, spec: {} }],
  'a Service with a port twice': [
    core('services'),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 's2' }, spec: { ports: [{ port: 80 }, { port: 80 }] } },
  ],
  'a Service of a wrong address': [
    core('services'),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 's3' }, spec: { clusterIP: '1.2.3', ports: [{ port: 80 }] } },
  ],
  'a Service named 1a': [
    core('services'),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: '1a' }, spec: { ports: [{ port: 80 }] } },
  ],
  'a Service of a wrong type': [
    core('services'),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's4' },
      spec: { type: 'Nothing', sessionAffinity: 'Always', ports: [{ port: 70000, targetPort: 'A B' }] },
    },
  ],
  'a Lease of -1 s': [
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'l1' },
      spec: { leaseDurationSeconds: -1, leaseTransitions: -1 },
    },
  ],
  'a Lease renewed at no time': [
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
    { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l2' }, spec: { renewTime: 'now' } },
  ],
  'a Node of a wrong taint': [
    '/api/v1/nodes',
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-bad' }, spec: { taints: [{ key: 'a b', effect: 'Never' }] } },
  ],
  'a Namespace with a dot': ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a.b' } }],
  'a Namespace of 64 letters': [
    '/api/v1/namespaces',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a'.repeat(64) } },
  ],
  'a Role of no verbs': [
    `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'r1' }, rules: [{ resources: ['pods'] }] },
  ],
  'a RoleBinding of nothing': [
    `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`,
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'r2' },
      subjects: [{ kind: 'Robot', name: '' }],
      roleRef: { kind: 'Thing', name: '' },
    },
  ],
  'a ConfigMap in a namespace that is not there': ['/api/v1/namespaces/nowhere/configmaps', configMap('x')],
  'a Pod in a namespace of bad letters': ['/api/v1/namespaces/No%20Where/pods', pod('x')],
  'a ConfigMap in no namespace': ['/api/v1/configmaps', configMap('x')],
  'a ConfigMap in another namespace': [core('configmaps'), { ...configMap('x'), metadata: { name: 'x', namespace: 'default' } }],
  'a Namespace in a namespace': [
    '/api/v1/namespaces',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'inner', namespace: 'objects' } },
  ],
  'a POST to an object': [core('configmaps/kept'), configMap('kept')],
  'a POST to a kind that is not there': [core('nothings'), configMap('kept')],
  'a POST to a subresource that is not there': [core('configmaps/kept/status'), configMap('kept')],
  'a second of the same name': [core('configmaps'), configMap('kept')],
  'a binding to nowhere': [
    core('pods/kept/binding'),
    { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'kept' }, target: {} },
  ],
  'a binding of another kind': [
    core('pods/kept/binding'),
    { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'kept' }, target: { kind: 'Pod', name: 'n' } },
  ],
  'a binding of another name': [
    core('pods/kept/binding'),
    { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'other' }, target: { kind: 'Node', name: 'n' } },
  ],
  'a binding of no pod': [
    core('pods/nothing/binding'),
    { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'nothing' }, target: { kind: 'Node', name: 'n' } },
  ],
  'a binding to a node of bad letters': [
    core('pods/kept/binding'),
    { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'kept' }, target: { kind: 'Node', name: 'N/N' } },
  ],
  'an eviction of another name': [
    core('pods/kept/eviction'),
    { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'other' } },
  ],
  'an eviction of another kind': [core('pods/kept/eviction'), { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'kept' } }],
  'an eviction without a body': [core('pods/kept/eviction'), {}],
}

const put = (path: string, body: unknown): BadInputCase['request'] => sent('PUT', path, body)
const kept = (more: Body = {}, metadata: Body = {}): Body => ({
  ...configMap('kept'),
  metadata: { name: 'kept', ...metadata },
  ...more,
})

const updates: Readonly<Record<string, BadInputCase['request']>> = {
  'another name': put(core('configmaps/kept'), configMap('other')),
  'another namespace': put(core('configmaps/kept'), kept({}, { namespace: 'default' })),
  'no name': put(core('configmaps/kept'), kept({}, { name: undefined })),
  'a resourceVersion of letters': put(core('configmaps/kept'), kept({}, { resourceVersion: 'abc' })),
  'a resourceVersion of the future': put(core('configmaps/kept'), kept({}, { resourceVersion: '999999999' })),
  'a resourceVersion of 0': put(core('configmaps/kept'), kept({}, { resourceVersion: '0' })),
  'a negative resourceVersion': put(core('configmaps/kept'), kept({}, { resourceVersion: '-1' })),
  'another uid': put(core('configmaps/kept'), kept({}, { uid: 'other' })),
  'an object that is not there': put(core('configmaps/nothing'), configMap('nothing')),
  'a Lease that is not there': put(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/made`, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'made' },
  }),
  'a collection': put(core('configmaps'), kept()),
  'a Lease without a resourceVersion': put(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/made`, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'made' },
    spec: { holderIdentity: 'x' },
  }),
  "a pod's nodeName": put(core('pods/kept'), pod('kept', { nodeName: 'n1' })),
  "a pod's image and port": put(core('pods/kept'), pod('kept', {}, { image: 'nginx:2', ports: [{ containerPort: 80 }] })),
  "a pod's status by its main path": put(core('pods/kept'), { ...pod('kept'), status: { phase: 'Running' } }),
  "a pod's wrong phase": put(core('pods/kept/status'), {
    ...pod('kept'),
    status: { phase: 'Gone', conditions: [{ type: 'a b', status: 'Perhaps' }] },
  }),
  "a Deployment's selector": put(
    apps('deployments/kept'),
    deployment('kept', { selector: { matchLabels: { app: 'kept', x: 'y' } } }),
  ),
  'a scale of -1': put(apps('deployments/kept/scale'), {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'kept', namespace },
    spec: { replicas: -1 },
  }),
  'a scale of "3"': put(apps('deployments/kept/scale'), {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'kept', namespace },
    spec: { replicas: '3' },
  }),
  'a scale of another kind': put(apps('deployments/kept/scale'), deployment('kept')),
  'a scale of another name': put(apps('deployments/kept/scale'), {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name: 'other', namespace },
    spec: { replicas: 1 },
  }),
  'a scale without a body': { verb: 'PUT', path: apps('deployments/kept/scale') },
  "an immutable ConfigMap's data": put(core('configmaps/fixed'), {
    ...configMap('fixed', { immutable: true, data: { a: '2' } }),
  }),
  'an immutable ConfigMap made mutable': put(core('configmaps/fixed'), { ...configMap('fixed', { data: { a: '1' } }) }),
}

const exact: readonly BadInputCase[] = [
  {
    name: 'an int64 beyond doubles in a pod',
    request: sent(
      'POST',
      core('pods'),
      `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"exact"},"spec":{"automountServiceAccountToken":false,"tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":9007199254740993}],"containers":[{"name":"c","image":"x","resources":{"limits":{"memory":9007199254740993}}}]}}`,
    ),
  },
  { name: 'it reads as it was written', request: got(core('pods/exact')) },
  {
    name: 'the largest int64 in a pod',
    request: sent(
      'POST',
      core('pods'),
      `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"exact2"},"spec":{"automountServiceAccountToken":false,"tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":9223372036854775807}],"containers":[{"name":"c","image":"x"}]}}`,
    ),
  },
  {
    name: 'one more than the largest int64 in a pod',
    request: sent(
      'POST',
      core('pods'),
      `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"exact3"},"spec":{"automountServiceAccountToken":false,"tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":9223372036854775808}],"containers":[{"name":"c","image":"x"}]}}`,
    ),
  },
]

let podNumber = 0
export const objectGroup = groupIn(namespace, {
  setUp: [
    sent('POST', core('configmaps'), configMap('kept')),
    sent('POST', core('configmaps'), configMap('fixed', { immutable: true, data: { a: '1' } })),
    sent('POST', core('pods'), pod('kept')),
    sent('POST', apps('deployments'), deployment('kept', { replicas: 0 })),
  ],
  cases: [
    ...casesOf(quantities, quantity => sent('POST', core('pods'), quantityPod(`q${podNumber++}`, 'cpu', quantity)), 'cpu: '),
    ...casesOf(
      quantities,
      quantity => sent('POST', core('pods'), quantityPod(`q${podNumber++}`, 'memory', quantity)),
      'memory: ',
    ),
    ...casesOf(badNames, name => sent('POST', core('configmaps'), { ...configMap(''), metadata: { name } }), 'ConfigMap name: '),
    ...casesOf(badNames, name => sent('POST', core('pods'), { ...pod(''), metadata: { name } }), 'Pod name: '),
    ...casesOf(badNames, name => sent('POST', '/api/v1/namespaces', { metadata: { name } }), 'Namespace name: '),
    ...casesOf(
      badLabels,
      labels => sent('POST', core('configmaps'), { ...configMap('l'), metadata: { name: 'l', labels } }),
      'labels: ',
    ),
    ...casesOf(
      metadata,
      (more, name) =>
        sent('POST', core('configmaps'), {
          ...configMap('m'),
          metadata: { name: `m${Object.keys(metadata).indexOf(name)}`, ...more },
        }),
      'metadata: ',
    ),
    ...casesOf(pods, body => sent('POST', core('pods'), body), 'Pod: '),
    ...casesOf(workloads, ([path, body]) => sent('POST', path, body), 'create: '),
    ...casesOf(updates, request => request, 'update: '),
    ...exact,
  ],
})

export const exponentGroup: BadInputGroup = {
  ...groupIn('exponents', {
    cases: casesOf(exponents, quantity =>
      sent('POST', '/api/v1/namespaces/exponents/pods', quantityPod(`e${podNumber++}`, 'cpu', quantity)),
    ),
  }),
  mayHang: true,
}
