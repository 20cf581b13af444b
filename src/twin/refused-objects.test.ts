// What kube-apiserver 1.36 said to generated requests that the twin once took, or refused in other words: one row for each rule.
import { describe, expect, test } from 'vitest'
import { itemsAt, textAt, valueAt } from './json-value.ts'
import { startTestTwin } from './twin-for-tests.ts'

const image = 'registry.example/a:1'
const container = { name: 'c', image }
const metadata = { name: 'a' }
const pods = '/api/v1/namespaces/default/pods'
const never = { containers: [container], restartPolicy: 'Never' }
const jobs = '/apis/batch/v1/namespaces/default/jobs'
const job = { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { template: { spec: never } } }
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const undeclared = (name: string) =>
  `Invalid value: "${name}": compilation failed: ERROR: <input>:1:1: undeclared reference to '${name}' (in container '')\n | ${name}\n | ^`

function causesOf(body: unknown): readonly string[] {
  return itemsAt(body, 'details', 'causes').map(cause => `${textAt(cause, 'field')}: ${textAt(cause, 'message')}`)
}

describe('a pod', () => {
  // biome-ignore format: a table
  test.each<[name: string, spec: object, said: readonly string[]]>([
    ['options of DNS without a name', { dnsConfig: { options: [{}] } }, ['spec.dnsConfig.options[0]: Required value: must not be empty']],
    ['a port that none is', { containers: [{ ...container, livenessProbe: { grpc: { port: 70_000 } } }] }, ['spec.containers[0].livenessProbe.grpc.port: Invalid value: 70000: must be between 1 and 65535, inclusive']],
    ['a scheme', { containers: [{ ...container, lifecycle: { preStop: { httpGet: { port: 80, scheme: 'A_b' } } } }] }, ['spec.containers[0].lifecycle.preStop.httpGet.scheme: Unsupported value: "A_b": supported values: "HTTP", "HTTPS"']],
    ['a host name', { hostnameOverride: 'A_b' }, [`spec.hostnameOverride: Invalid value: "A_b": ${subdomain}`]],
    ['resources of the pod as a whole', { resources: { limits: { k: '1' } } }, ['spec.resources.limits[k]: Invalid value: "k": must be a standard resource type or fully qualified']],
    ['a policy of groups', { securityContext: { fsGroupChangePolicy: 'x' } }, ['spec.securityContext.fsGroupChangePolicy: Unsupported value: "x": supported values: "Always", "OnRootMismatch"']],
    ['an export that is no path', { volumes: [{ name: 'a', nfs: { server: 'a' } }] }, ['spec.volumes[0].nfs.path: Required value', 'spec.volumes[0].nfs.path: Invalid value: "": must be an absolute path']],
    ['a claim of devices without a source', { resourceClaims: [{ name: 'a' }] }, ['spec.resourceClaims[0]: Invalid value: {"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`']],
    ['how it is resized', { ...never, containers: [{ ...container, resizePolicy: [{ resourceName: 'a', restartPolicy: '' }] }] }, ['spec.containers[0].resizePolicy: Unsupported value: "a": supported values: "cpu", "memory"', 'spec.containers[0].resizePolicy: Required value', "spec.containers[0].resizePolicy: Invalid value: \"\": must be 'NotRequired' when pod `restartPolicy` is 'Never'"]],
    ['fewest domains', { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule', minDomains: -1, labelSelector: {} }] }, ['spec.topologySpreadConstraints[0].minDomains: Invalid value: -1: must be greater than zero']],
    ['a mount of a volume that is wrong', { volumes: [{ name: 'A_b', emptyDir: {} }], containers: [{ ...container, volumeMounts: [{ name: 'v', mountPath: '/a', subPath: '../b' }] }] }, [
      "spec.volumes[0].name: Invalid value: \"A_b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      'spec.containers[0].volumeMounts[0].name: Not found: "v"', "spec.containers[0].volumeMounts.subPath: Invalid value: \"../b\": must not contain '..'",
    ]],
    ['a user of Windows on Linux', { os: { name: 'linux' }, securityContext: { windowsOptions: { runAsUserName: 'a\\b\\c' } } }, ['spec.securityContext.windowsOptions.runAsUserName: Invalid value: "a\\\\b\\\\c": runAsUserName cannot contain more than one backslash', 'spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod']],
  ])('%s', async (_name, spec, said) => {
    await using twin = await startTestTwin()
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container], ...spec } }
    expect(causesOf((await twin.client.post(pods, pod)).body)).toEqual(said)
  })

  test('signals that stop it are a feature that is off, and what has no tag is asked for anew', async () => {
    await using twin = await startTestTwin()
    const spec = {
      containers: [{ ...container, image: 'registry.example/a', lifecycle: { stopSignal: 'SIGTERM' } }],
      volumes: [
        { name: 'a', image: { reference: 'A_b' } },
        { name: 'b', image: { reference: 'a' } },
      ],
    }
    const { body } = await twin.client.post(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec })
    expect(itemsAt(body, 'spec', 'containers').map(one => [one['imagePullPolicy'], one['lifecycle']])).toEqual([
      ['Always', undefined],
    ])
    const volumes = itemsAt(body, 'spec', 'volumes').slice(0, 2)
    expect(volumes.map(one => valueAt(one, 'image', 'pullPolicy'))).toEqual(['IfNotPresent', 'Always'])
  })
})

describe('a Job', () => {
  // biome-ignore format: a table
  test.each<[name: string, spec: object, said: readonly string[]]>([
    ['success', { successPolicy: { rules: [{ succeededIndexes: 'a' }] } }, ['spec.successPolicy: Invalid value: {"Rules":[{"SucceededIndexes":"a","SucceededCount":null}]}: requires indexed completion mode']],
    ['failures', { podFailurePolicy: { rules: [{ action: 'Count', onExitCodes: { operator: 'A_b', values: [1] } }] } }, ['spec.podFailurePolicy.rules[0].onExitCodes.operator: Unsupported value: "A_b": supported values: "In", "NotIn"']],
    ['indexes', { completionMode: 'Indexed', completions: 3, successPolicy: { rules: [{ succeededIndexes: '0-1,1' }] } }, ['spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-1,1": error parsing succeededIndexes: non-increasing order, previous: 1, current: 1']],
  ])('%s', async (_name, spec, said) => {
    await using twin = await startTestTwin()
    expect(causesOf((await twin.client.post(jobs, { ...job, spec: { ...job.spec, ...spec } })).body)).toEqual(said)
  })

  // biome-ignore format: a table
  test.each<[status: object, said: string]>([
    [{ completedIndexes: 'A_b' }, 'status.completedIndexes: Invalid value: "A_b": cannot set non-empty completedIndexes when non-indexed completion mode'],
    [{ failedIndexes: '0' }, 'status.failedIndexes: Invalid value: "0": cannot set non-null failedIndexes when backoffLimitPerIndex is null'],
    [{ ready: 2 }, 'status.ready: Invalid value: 2: cannot set more ready pods than active'],
    [{ terminating: -1 }, 'status.terminating: Invalid value: -1: must be greater than or equal to 0'],
    [{ uncountedTerminatedPods: { failed: ['a', 'a'] } }, 'status.uncountedTerminatedPods.failed[1]: Duplicate value: "a"'],
  ])('whose status is %j', async (status, said) => {
    await using twin = await startTestTwin()
    await twin.client.post(jobs, job)
    expect(causesOf((await twin.client.patch(`${jobs}/a/status`, 'merge', { status })).body)).toContain(said)
  })

  test("keeps its template, which is shown as the server's own struct", async () => {
    await using twin = await startTestTwin()
    await twin.client.post(jobs, job)
    const patch = { spec: { template: { spec: { hostNetwork: true, nodeSelector: { b: '1', a: '2' } } } } }
    const [said = ''] = causesOf((await twin.client.patch(`${jobs}/a`, 'merge', patch)).body)
    expect(said).toMatch(/^spec\.template: Invalid value: \{"labels":\{"batch\.kubernetes\.io\/controller-uid":/)
    expect(said).toContain(
      '"Spec":{"Volumes":null,"InitContainers":null,"Containers":[{"Name":"c","Image":"registry.example/a:1","Command":null',
    )
    expect(said).toContain('"NodeSelector":{"a":"2","b":"1"}')
    expect(said).toContain('"SecurityContext":{"HostNetwork":true,"HostPID":false,"HostIPC":false,"ShareProcessNamespace":null')
    expect(said).toMatch(/: field is immutable$/)
  })

  test('that goes with others leaves its pods, and says so', async () => {
    await using twin = await startTestTwin()
    await twin.client.post(jobs, job)
    const { headers } = await twin.client.call('DELETE', jobs)
    expect(String(headers['warning'])).toContain('child pods are preserved by default when jobs are deleted')
  })
})

const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }
const policies = '/apis/admissionregistration.k8s.io/v1'

// biome-ignore format: a table
test.each<[name: string, path: string, body: object, said: readonly string[]]>([
  ['a name that nobody declared', `${policies}/validatingadmissionpolicies`, { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', metadata, spec: { matchConstraints: { resourceRules: [{ ...rule, resourceNames: ['a', 'a'] }] }, validations: [{ expression: 'true', messageExpression: 'nobody' }], auditAnnotations: [{ key: 'k', valueExpression: '' }] } }, [
    'spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"', `spec.validations[0].messageExpression: ${undeclared('nobody')}`, 'spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified',
  ]],
  ['a policy that changes what goes', `${policies}/mutatingadmissionpolicies`, { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingAdmissionPolicy', metadata, spec: { paramKind: {}, variables: [{}], matchConstraints: { resourceRules: [rule] }, reinvocationPolicy: 'Never', mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: 'x' }, applyConfiguration: {} }] } }, [
    'spec.paramKind.apiVersion: Required value', 'spec.paramKind.kind: Required value', 'spec.variables[0].name: Required value: name is not specified', 'spec.variables[0].expression: Required value: expression is not specified',
    'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch',
  ]],
  ["a webhook's condition", `${policies}/mutatingwebhookconfigurations`, { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration', metadata, webhooks: [{ name: 'a.example.com', admissionReviewVersions: ['v1'], sideEffects: 'None', clientConfig: { url: 'https://a/' }, rules: [rule], matchConditions: [{ name: 'a', expression: 'A_b' }] }] }, [`webhooks[0].matchConditions[0].expression: ${undeclared('A_b')}`]],
  ['a namespace that is held', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata, spec: { finalizers: ['a'] } }, ['spec.finalizers: Invalid value: "a": name is neither a standard finalizer name nor is it fully qualified']],
  ['a node of features', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata, status: { capacity: { a: '-1' } } }, ['capacity', 'allocatable'].map(list => `status.${list}.a: Invalid value: "-1": must be greater than or equal to 0`)],
  ['a budget, of which the rest is told first', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: {}, spec: { maxUnavailable: -1 } }, ['spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0']],
])('%s', async (_name, path, body, said) => {
  await using twin = await startTestTwin()
  expect(causesOf((await twin.client.post(path, body)).body)).toEqual(said)
})

test('who owns items of one name owns that name alone', async () => {
  await using twin = await startTestTwin()
  const path = '/api/v1/namespaces/default/replicationcontrollers'
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [container] } }
  await twin.client.post(path, {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata,
    spec: { selector: { a: 'b' }, template },
  })
  const condition = { type: 'a', status: 'True' }
  const { body } = await twin.client.patch(`${path}/a/status`, 'merge', { status: { conditions: [condition, condition] } })
  const [owned] = itemsAt(body, 'metadata', 'managedFields').filter(entry => entry['subresource'] === 'status')
  expect(valueAt(owned, 'fieldsV1', 'f:status', 'f:conditions')).toEqual({ '.': {}, 'k:{"type":"a"}': {} })
})

test('a LimitRange that nobody named has a name of its own', async () => {
  await using twin = await startTestTwin()
  const range = {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: {},
    spec: { limits: [{ type: 'Container', max: { cpu: '2' } }] },
  }
  const { body } = await twin.client.post('/api/v1/namespaces/default/limitranges', range)
  expect(textAt(body, 'metadata', 'name')).toMatch(/^[0-9a-f]{8}-/)
})
