// What both servers are asked. Each scenario has a namespace of its own name; its pods find a ServiceAccount there.
import { ballastApiVersion } from '#coordination/api.ts'
import type { AnswerScenario, AskedRequest } from '#test/api-answers.ts'
import { libraryRequests } from './cel-libraries.ts'
import { chartRequests } from './chart-kinds.ts'
import { permitRequests, policyRequests } from './own-kinds.ts'

type Body = Readonly<Record<string, unknown>>

const jsonPatch = 'application/json-patch+json'
const mergePatch = 'application/merge-patch+json'
const strategicPatch = 'application/strategic-merge-patch+json'
const applyPatch = 'application/apply-patch+yaml'

function scenario(name: string, requests: (at: Places) => readonly AskedRequest[]): AnswerScenario {
  const setUp: readonly AskedRequest[] = [
    post('/api/v1/namespaces', { metadata: { name } }),
    post(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } }),
  ]
  return { name, requests: [...setUp, ...requests(placesIn(name))] }
}

interface Places {
  core(resource: string): string
  apps(resource: string): string
  of(groupVersion: string, resource: string): string
}

function placesIn(namespace: string): Places {
  return {
    core: resource => `/api/v1/namespaces/${namespace}/${resource}`,
    apps: resource => `/apis/apps/v1/namespaces/${namespace}/${resource}`,
    of: (groupVersion, resource) => `/apis/${groupVersion}/namespaces/${namespace}/${resource}`,
  }
}

const get = (path: string): AskedRequest => ({ verb: 'GET', path })
const remove = (path: string, body?: Body): AskedRequest => ({ verb: 'DELETE', path, ...(body === undefined ? {} : { body }) })
const post = (path: string, body: unknown): AskedRequest => ({ verb: 'POST', path: managed(path), body })
const put = (path: string, body: unknown): AskedRequest => ({ verb: 'PUT', path: managed(path), body })
const patch = (path: string, contentType: string, body: unknown): AskedRequest => ({
  verb: 'PATCH',
  path: managed(path),
  contentType,
  body,
})
const apply = (path: string, manager: string, body: unknown, more = ''): AskedRequest => ({
  verb: 'PATCH',
  path: `${path}?fieldManager=${manager}${more}`,
  contentType: applyPatch,
  body,
})

/** Without a manager in the query servers take the client's name, and the two clients have different ones. */
function managed(path: string): string {
  return path.includes('fieldManager=') ? path : `${path}${path.includes('?') ? '&' : '?'}fieldManager=tester`
}

const container = (more: Body = {}): Body => ({ name: 'c', image: 'nginx:1.28', ...more })
const template = (app: string, more: Body = {}): Body => ({
  metadata: { labels: { app } },
  spec: { containers: [container()], ...more },
})
const deployment = (name: string, spec: Body = {}): Body => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: { selector: { matchLabels: { app: name } }, template: template(name), ...spec },
})
const configMap = (name: string, data: Body): Body => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })
const pod = (name: string, spec: Body = {}, metadata: Body = {}): Body => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'web' }, ...metadata },
  spec: { automountServiceAccountToken: false, containers: [container()], ...spec },
})

const definition: Body = {
  metadata: { name: 'gadgets.answers.example.com' },
  spec: {
    group: 'answers.example.com',
    names: { plural: 'gadgets', kind: 'Gadget' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                'x-kubernetes-validations': [{ rule: 'self.size <= 10', message: 'too big' }],
                required: ['owner'],
                properties: {
                  owner: { type: 'string', minLength: 2, pattern: '^[a-z]+$' },
                  size: { type: 'integer', minimum: 0, default: 3 },
                  mode: { type: 'string', enum: ['a', 'b'] },
                  ports: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['port'],
                    items: {
                      type: 'object',
                      required: ['port'],
                      properties: { port: { type: 'integer' }, name: { type: 'string' } },
                    },
                  },
                },
              },
              status: { type: 'object', properties: { size: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
}

export const answerScenarios: readonly AnswerScenario[] = [
  scenario('defaults', at => [
    post(at.apps('deployments'), deployment('web')),
    post(at.apps('statefulsets'), {
      metadata: { name: 'db' },
      spec: {
        selector: { matchLabels: { app: 'db' } },
        template: template('db'),
        volumeClaimTemplates: [
          { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
        ],
      },
    }),
    post(at.apps('daemonsets'), {
      metadata: { name: 'agent' },
      spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent') },
    }),
    post(at.apps('replicasets'), {
      metadata: { name: 'rs' },
      spec: { selector: { matchLabels: { app: 'rs' } }, template: template('rs') },
    }),
    post(at.of('batch/v1', 'cronjobs'), {
      metadata: { name: 'cj' },
      spec: {
        schedule: '@daily',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [container()] } } } },
      },
    }),
    post(at.of('batch/v1', 'jobs'), {
      metadata: { name: 'j' },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [container()] } } },
    }),
    post(at.core('services'), { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } }),
    post(at.core('services'), {
      metadata: { name: 'np' },
      spec: {
        type: 'NodePort',
        ports: [
          { port: 80, name: 'a' },
          { port: 81, name: 'b', targetPort: 'http' },
        ],
      },
    }),
    post(at.core('services'), { metadata: { name: 'out' }, spec: { type: 'ExternalName', externalName: 'example.com' } }),
    post(at.of('policy/v1', 'poddisruptionbudgets'), {
      metadata: { name: 'web' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
    }),
    post(at.of('autoscaling/v2', 'horizontalpodautoscalers'), {
      metadata: { name: 'web' },
      spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    }),
    post(at.core('configmaps'), configMap('a', { b: 'c' })),
    post(at.core('secrets'), { metadata: { name: 's' }, stringData: { a: 'b' } }),
    post(at.of('networking.k8s.io/v1', 'ingresses'), {
      metadata: { name: 'i' },
      spec: {
        rules: [
          {
            host: 'a.b',
            http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] },
          },
        ],
      },
    }),
    post(at.of('networking.k8s.io/v1', 'networkpolicies'), {
      metadata: { name: 'np' },
      spec: { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] },
    }),
    post(at.of('rbac.authorization.k8s.io/v1', 'roles'), {
      metadata: { name: 'r' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    }),
    post(at.of('rbac.authorization.k8s.io/v1', 'rolebindings'), {
      metadata: { name: 'rb' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [{ kind: 'User', name: 'u' }],
    }),
    post(at.of('coordination.k8s.io/v1', 'leases'), {
      metadata: { name: 'l' },
      spec: { holderIdentity: 'x', leaseDurationSeconds: 15 },
    }),
    post(
      at.core('pods'),
      pod('p', {
        containers: [
          container({
            resources: { limits: { cpu: '1' } },
            livenessProbe: { httpGet: { port: 80 } },
            ports: [{ containerPort: 80 }],
            env: [{ name: 'N', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          }),
        ],
        volumes: [{ name: 'v', configMap: { name: 'a' } }, { name: 'e' }],
      }),
    ),
    post(
      at.core('pods'),
      pod('q', {
        containers: [
          container({
            image: 'nginx',
            resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '100m', memory: '64Mi' } },
          }),
        ],
        tolerations: [{ operator: 'Exists' }],
        nodeSelector: { a: 'b' },
      }),
    ),
    post(at.core('resourcequotas'), { metadata: { name: 'q' }, spec: { hard: { 'count/secrets': 50 } } }),
  ]),
  scenario('cluster-kinds', () => [
    post('/api/v1/nodes', {
      metadata: { name: 'answer-node' },
      spec: { taints: [{ key: 'k', value: '', effect: 'NoSchedule' }] },
      status: { capacity: { cpu: 4, memory: '8Gi' } },
    }),
    patch('/api/v1/nodes/answer-node', strategicPatch, { spec: { unschedulable: true } }),
    patch('/api/v1/nodes/answer-node', strategicPatch, { spec: { taints: [{ key: 'other', effect: 'NoExecute' }] } }),
    post('/apis/storage.k8s.io/v1/storageclasses', { metadata: { name: 'answer-class' }, provisioner: 'x.dev/y' }),
    post('/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'answer-priority' }, value: 5 }),
    post('/apis/storage.k8s.io/v1/csidrivers', { metadata: { name: 'answer.csi.dev' }, spec: {} }),
    post('/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
      metadata: { name: 'answer-hooks' },
      webhooks: [
        {
          name: 'a.b.c',
          clientConfig: { service: { namespace: 'x', name: 'y' } },
          rules: [{ operations: ['CREATE'], apiGroups: ['none.dev'], apiVersions: ['v1'], resources: ['things'] }],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    }),
    get('/api/v1/nodes/none'),
    get('/apis/apps/v1/namespaces/default/deployments/none'),
    remove('/api/v1/nodes/answer-node'),
    remove('/apis/storage.k8s.io/v1/storageclasses/answer-class'),
    remove('/api/v1/namespaces/kube-system'),
  ]),
  scenario('refusals', at => [
    post(at.apps('deployments'), deployment('bad', { replicas: -1 })),
    post(at.apps('deployments'), deployment('bad', { selector: { matchLabels: { app: 'other' } } })),
    post(at.apps('deployments'), { metadata: { name: 'bad' }, spec: {} }),
    post(at.apps('deployments'), deployment('bad', { strategy: { type: 'Sideways' } })),
    post(at.apps('deployments'), deployment('bad', { template: template('bad', { restartPolicy: 'Never' }) })),
    post(at.core('pods'), pod('Bad_Name')),
    post(at.core('pods'), pod('bad', { containers: [] })),
    post(at.core('pods'), pod('bad', { containers: [{ name: 'c' }] })),
    post(at.core('pods'), pod('bad', { containers: [container(), container()] })),
    post(at.core('pods'), pod('bad', { containers: [container({ volumeMounts: [{ name: 'x', mountPath: '/x' }] })] })),
    post(at.core('pods'), pod('bad', { containers: [container({ ports: [{ containerPort: 70000 }] })] })),
    post(at.core('pods'), pod('bad', { restartPolicy: 'Sometimes' })),
    post(at.core('pods'), pod('bad', { containers: [container({ resources: { requests: { cpu: '-1' } } })] })),
    post(at.core('pods'), pod('bad', { topologySpreadConstraints: [{ maxSkew: 0, topologyKey: '', whenUnsatisfiable: 'x' }] })),
    post(at.core('pods'), pod('bad', { tolerations: [{ effect: 'No', operator: 'Exists' }] })),
    post(at.core('pods'), pod('bad', { priorityClassName: 'none' })),
    post(at.core('pods'), pod('bad', {}, { labels: { 'a b': 'c' } })),
    post(at.core('pods'), pod('bad', {}, { labels: { a: 'not valid!' } })),
    post(at.core('pods'), pod('bad', {}, { namespace: 'elsewhere' })),
    post(at.core('pods'), { ...pod('bad'), kind: 'Service' }),
    post(at.core('pods'), pod('bad', { hostNetwork: 'yes' })),
    post(`${at.core('pods')}?fieldValidation=Strict`, pod('bad', { foo: 1 })),
    post(at.core('services'), { metadata: { name: '1bad' }, spec: { ports: [{ port: 80 }] } }),
    post(at.core('services'), { metadata: { name: 'bad' }, spec: { ports: [] } }),
    post(at.core('services'), { metadata: { name: 'bad' }, spec: { ports: [{ port: 80 }, { port: 80 }] } }),
    post(at.of('policy/v1', 'poddisruptionbudgets'), { metadata: { name: 'bad' }, spec: { minAvailable: 1, maxUnavailable: 1 } }),
    post(at.of('policy/v1', 'poddisruptionbudgets'), { metadata: { name: 'bad' }, spec: { minAvailable: 'x%' } }),
    post(at.of('policy/v1', 'poddisruptionbudgets'), { metadata: { name: 'bad' }, spec: { minAvailable: -1 } }),
    post(at.of('autoscaling/v2', 'horizontalpodautoscalers'), {
      metadata: { name: 'bad' },
      spec: { maxReplicas: 0, scaleTargetRef: { kind: 'Deployment', name: 'x', apiVersion: 'apps/v1' } },
    }),
    post(at.of('batch/v1', 'cronjobs'), {
      metadata: { name: 'bad' },
      spec: {
        schedule: 'often',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [container()] } } } },
      },
    }),
    post(at.of('batch/v1', 'jobs'), {
      metadata: { name: 'bad' },
      spec: { template: { spec: { restartPolicy: 'Always', containers: [container()] } } },
    }),
    post(at.core('configmaps'), configMap('bad', { 'a/b': 'c' })),
    post(at.core('persistentvolumeclaims'), { metadata: { name: 'bad' }, spec: {} }),
    post(`${at.core('configmaps')}?dryRun=Some`, configMap('bad', {})),
    post(at.core('nothings'), {}),
    post('/api/v1/namespaces/missing/configmaps', configMap('x', {})),
    post('/api/v1/namespaces', { metadata: { name: 'with.dots' } }),
    get(`${at.core('pods')}?fieldSelector=spec.foo%3D1`),
    get(`${at.core('configmaps')}?fieldSelector=data%3D1`),
    get(`${at.core('pods')}?labelSelector=a%20in%20(`),
    get(`${at.core('pods')}?resourceVersionMatch=Exact`),
    get(`${at.core('pods')}?sendInitialEvents=true`),
    get(`${at.core('pods')}?watch=true&sendInitialEvents=true`),
    get(`${at.core('pods')}?continue=abc`),
  ]),
  scenario('updates', at => [
    post(at.apps('deployments'), deployment('web')),
    patch(at.apps('deployments/web'), mergePatch, { spec: { replicas: 3 } }),
    patch(at.apps('deployments/web'), mergePatch, { spec: { replicas: 3 } }),
    patch(at.apps('deployments/web'), mergePatch, { spec: { selector: { matchLabels: { app: 'x' } } } }),
    patch(at.apps('deployments/web'), strategicPatch, {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'c', image: 'nginx:1.29' },
              { name: 'd', image: 'x:1' },
            ],
          },
        },
      },
    }),
    patch(at.apps('deployments/web'), strategicPatch, {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'd' }, { name: 'c' }],
            containers: [{ name: 'd', env: [{ name: 'A', value: '1' }] }],
          },
        },
      },
    }),
    patch(at.apps('deployments/web'), strategicPatch, {
      spec: { template: { spec: { containers: [{ name: 'd', $patch: 'delete' }] } } },
    }),
    patch(at.apps('deployments/web'), strategicPatch, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }),
    patch(at.apps('deployments/web'), jsonPatch, [{ op: 'test', path: '/spec/replicas', value: 9 }]),
    patch(at.apps('deployments/web'), jsonPatch, [{ op: 'remove', path: '/spec/nothing' }]),
    patch(at.apps('deployments/web'), jsonPatch, [{ op: 'replace', path: '/spec/replicas', value: 5 }]),
    patch(at.apps('deployments/web'), 'text/plain', {}),
    patch(at.apps('deployments/web/status'), mergePatch, { spec: { replicas: 9 }, status: { replicas: 5 } }),
    get(at.apps('deployments/web/scale')),
    patch(at.apps('deployments/web/scale'), mergePatch, { spec: { replicas: 2 } }),
    put(at.apps('deployments/web'), { ...deployment('web'), metadata: { name: 'other' } }),
    put(at.apps('deployments/web'), { ...deployment('web'), metadata: { name: 'web', resourceVersion: '1' } }),
    put(at.apps('deployments/web'), { ...deployment('web'), metadata: { name: 'web', uid: 'x' } }),
    put(at.apps('deployments/none'), deployment('none')),
    put(at.of('coordination.k8s.io/v1', 'leases/made'), { metadata: { name: 'made' }, spec: { holderIdentity: 'x' } }),
    post(at.core('configmaps'), { ...configMap('fixed', { a: 'b' }), immutable: true }),
    patch(at.core('configmaps/fixed'), mergePatch, { data: { a: 'c' } }),
    post(at.core('secrets'), { metadata: { name: 's' }, data: { a: 'Yg==' } }),
    patch(at.core('secrets/s'), mergePatch, { type: 'x/y' }),
    post(at.core('services'), {
      metadata: { name: 'dns' },
      spec: {
        ports: [
          { name: 't', port: 53, protocol: 'TCP' },
          { name: 'u', port: 53, protocol: 'UDP' },
        ],
      },
    }),
    patch(at.core('services/dns'), strategicPatch, { spec: { ports: [{ port: 53, protocol: 'UDP' }] } }),
    patch(at.core('services/dns'), mergePatch, { spec: { clusterIP: '10.0.0.77' } }),
    post(at.of('policy/v1', 'poddisruptionbudgets'), {
      metadata: { name: 'b' },
      spec: { minAvailable: 1, selector: { matchLabels: { a: 'b' } } },
    }),
    patch(at.of('policy/v1', 'poddisruptionbudgets/b'), strategicPatch, { spec: { selector: { matchLabels: { c: 'd' } } } }),
    patch(at.of('policy/v1', 'poddisruptionbudgets/b'), mergePatch, { spec: { minAvailable: '50%' } }),
  ]),
  scenario('pods', at => [
    post(at.core('pods'), pod('p')),
    patch(at.core('pods/p'), strategicPatch, { spec: { containers: [{ name: 'c', image: 'nginx:1.29' }] } }),
    patch(at.core('pods/p'), mergePatch, { spec: { hostNetwork: true } }),
    patch(at.core('pods/p'), mergePatch, { spec: { tolerations: [] } }),
    post(at.core('pods'), pod('gated', { schedulingGates: [{ name: 'a.dev/b' }] })),
    patch(at.core('pods/gated'), mergePatch, { spec: { schedulingGates: [{ name: 'a.dev/b' }, { name: 'c.dev/d' }] } }),
    patch(at.core('pods/gated'), mergePatch, { spec: { nodeSelector: { a: 'b' } } }),
    patch(at.core('pods/gated'), mergePatch, { spec: { nodeSelector: null } }),
    patch(at.core('pods/gated'), mergePatch, {
      spec: {
        schedulingGates: null,
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] }],
            },
          },
        },
      },
    }),
    patch(at.core('pods/gated'), mergePatch, { spec: { affinity: null } }),
    post(`${at.core('pods/p')}/binding`, { metadata: { name: 'p' }, target: { kind: 'Node', name: 'somewhere' } }),
    post(`${at.core('pods/p')}/binding`, { metadata: { name: 'p' }, target: { kind: 'Node', name: 'elsewhere' } }),
    get(at.core('pods/p')),
    patch(`${at.core('pods/p')}/status`, strategicPatch, {
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    }),
    remove(at.core('pods/p'), { preconditions: { uid: 'no' } }),
    remove(at.core('pods/p')),
    remove(at.core('pods/p'), { gracePeriodSeconds: 5 }),
    remove(at.core('pods/p'), { gracePeriodSeconds: 0 }),
    get(at.core('pods/p')),
    post(at.core('pods'), pod('pending')),
    remove(at.core('pods/pending')),
  ]),
  scenario('deletion', at => [
    post(at.core('configmaps'), { ...configMap('held', {}), metadata: { name: 'held', finalizers: ['a.dev/b'] } }),
    remove(at.core('configmaps/held')),
    patch(at.core('configmaps/held'), mergePatch, { metadata: { finalizers: ['a.dev/b', 'c.dev/d'] } }),
    patch(at.core('configmaps/held'), mergePatch, { metadata: { finalizers: null } }),
    get(at.core('configmaps/held')),
    post(at.apps('deployments'), deployment('fg')),
    remove(at.apps('deployments/fg'), { propagationPolicy: 'Foreground' }),
    post(at.apps('deployments'), deployment('orphans')),
    remove(at.apps('deployments/orphans'), { propagationPolicy: 'Orphan' }),
    post(at.apps('deployments'), deployment('bg')),
    remove(at.apps('deployments/bg'), { propagationPolicy: 'Background' }),
    remove(at.apps('deployments/bg')),
    post(at.core('configmaps'), configMap('x', {})),
    remove(`${at.core('configmaps')}?fieldSelector=metadata.name%3Dx`),
    remove('/api/v1/namespaces/deletion'),
    post(at.core('configmaps'), configMap('late', {})),
  ]),
  scenario('apply', at => [
    apply(at.apps('deployments/web'), 'a', deployment('web', { replicas: 3 })),
    apply(at.apps('deployments/web'), 'b', deployment('web', { replicas: 5 })),
    apply(at.apps('deployments/web'), 'b', deployment('web', { replicas: 3 })),
    apply(at.apps('deployments/web'), 'b', deployment('web', { replicas: 5 }), '&force=true'),
    apply(at.apps('deployments/web'), 'a', deployment('web')),
    patch(at.apps('deployments/web?fieldManager=editor'), mergePatch, {
      spec: { replicas: 7 },
      metadata: { labels: { x: 'y' } },
    }),
    apply(at.apps('deployments/web'), 'b', deployment('web', { replicas: 5, paused: true })),
    apply(at.apps('deployments/web'), 'c', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { template: { spec: { containers: [{ name: 'side', image: 's:1', ports: [{ containerPort: 80 }] }] } } },
    }),
    apply(at.apps('deployments/web'), 'c', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { template: { spec: { containers: [{ name: 'side', image: 's:2' }] } } },
    }),
    apply(at.apps('deployments/web'), 'c', { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } }),
    apply(at.core('configmaps/m'), 'a', configMap('m', { x: '1', y: '2' })),
    apply(at.core('configmaps/m'), 'b', configMap('m', { y: '2' })),
    apply(at.core('configmaps/m'), 'a', configMap('m', { x: '1' })),
    apply(at.core('configmaps/m'), 'b', configMap('m', {})),
    post(at.core('configmaps?fieldManager=old'), configMap('n', { x: '1' })),
    apply(at.core('configmaps/n'), 'new', configMap('n', { x: '2' })),
    apply(at.core('configmaps/n'), 'new', configMap('n', { x: '2' }), '&force=true'),
    { verb: 'PATCH', path: at.core('configmaps/n'), contentType: applyPatch, body: configMap('n', {}) },
    apply(at.core('configmaps/n'), 'new', {
      ...configMap('n', {}),
      metadata: { name: 'n', managedFields: [{ manager: 'x', operation: 'Apply', apiVersion: 'v1' }] },
    }),
    apply(at.core('services/s'), 'a', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's' },
      spec: {
        ports: [
          { name: 't', port: 53, protocol: 'TCP' },
          { name: 'u', port: 53, protocol: 'UDP' },
        ],
      },
    }),
    apply(at.core('services/s'), 'a', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's' },
      spec: { ports: [{ name: 'u', port: 53, protocol: 'UDP' }] },
    }),
    get(at.apps('deployments/web')),
  ]),
  scenario('custom', at => [
    post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition),
    post(at.of('answers.example.com/v1', 'gadgets'), {
      apiVersion: 'answers.example.com/v1',
      kind: 'Gadget',
      metadata: { name: 'g' },
      spec: { owner: 'me', extra: 1, ports: [{ port: 1, name: 'x' }] },
    }),
    ...[
      { owner: 'me', mode: 'z' },
      { owner: 'me', size: 11 },
      { owner: 'me', size: -1 },
      { owner: 'me', size: 'x' },
      {},
      { owner: 'A' },
      { owner: 'me', ports: [{ port: 1 }, { port: 1 }] },
      { owner: 'me', ports: [{}] },
    ].map(spec =>
      post(at.of('answers.example.com/v1', 'gadgets'), {
        apiVersion: 'answers.example.com/v1',
        kind: 'Gadget',
        metadata: { name: 'bad' },
        spec,
      }),
    ),
    patch(at.of('answers.example.com/v1', 'gadgets/g'), strategicPatch, {}),
    patch(at.of('answers.example.com/v1', 'gadgets/g'), mergePatch, { spec: { size: 4 }, status: { size: 9 } }),
    patch(at.of('answers.example.com/v1', 'gadgets/g/status'), mergePatch, { spec: { size: 1 }, status: { size: 2 } }),
    get(at.of('answers.example.com/v1', 'gadgets/g/scale')),
    patch(at.of('answers.example.com/v1', 'gadgets/g/scale'), mergePatch, { spec: { replicas: 6 } }),
    put(at.of('answers.example.com/v1', 'gadgets/g'), {
      apiVersion: 'answers.example.com/v1',
      kind: 'Gadget',
      metadata: { name: 'g' },
      spec: { owner: 'me' },
    }),
    apply(at.of('answers.example.com/v1', 'gadgets/g'), 'a', {
      apiVersion: 'answers.example.com/v1',
      kind: 'Gadget',
      metadata: { name: 'g' },
      spec: { owner: 'me', ports: [{ port: 2 }] },
    }),
    get(`${at.of('answers.example.com/v1', 'gadgets')}?fieldSelector=spec.size%3D1`),
    remove(at.of('answers.example.com/v1', 'gadgets/g')),
    remove('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.answers.example.com'),
  ]),
  scenario('priorities', at => {
    const classes = '/apis/scheduling.k8s.io/v1/priorityclasses'
    const priorityClass = (name: string, more: Body = {}): AskedRequest =>
      post(classes, { metadata: { name }, value: 7, ...more })
    const policies = [{}, ...['Never', 'PreemptLowerPriority', 'Always', ''].map(preemptionPolicy => ({ preemptionPolicy }))]
    let pods = 0
    const asked = (spec: Body): AskedRequest => post(at.core('pods'), pod(`p${++pods}`, spec))
    /** Every way in which a pod can name a class, a priority and a policy beside each other. */
    const everyWay = (names: readonly string[], values: readonly (number | undefined)[]): readonly AskedRequest[] =>
      names.flatMap(name =>
        values.flatMap(priority =>
          policies.map(policy =>
            asked({
              ...(name === '' ? {} : { priorityClassName: name }),
              ...(priority === undefined ? {} : { priority }),
              ...policy,
            }),
          ),
        ),
      )
    return [
      priorityClass('never', { preemptionPolicy: 'Never' }),
      priorityClass('lower', { preemptionPolicy: 'PreemptLowerPriority' }),
      priorityClass('always', { preemptionPolicy: 'Always' }),
      priorityClass('large', { value: 1_000_000_001 }),
      priorityClass('system-mine'),
      priorityClass('system-cluster-critical', { value: 5 }),
      post(classes, { metadata: { name: 'nothing' } }),
      ...everyWay(['', 'never', 'lower', 'none'], [undefined, 7, 0]),
      asked({ priorityClassName: 'system-cluster-critical' }),
      asked({ priorityClassName: 'system-node-critical', priority: 1 }),
      asked({ priorityClassName: 'Not_A_Name' }),
      patch(at.core('pods/p1'), mergePatch, { spec: { priority: 3 } }),
      patch(at.core('pods/p1'), mergePatch, { spec: { preemptionPolicy: 'Never' } }),
      patch(at.core('pods/p1'), mergePatch, { spec: { priorityClassName: 'never' } }),
      patch(at.core('pods/p1'), mergePatch, { spec: { priority: null, preemptionPolicy: null } }),
      patch(`${classes}/never`, mergePatch, { value: 8 }),
      patch(`${classes}/never`, mergePatch, { preemptionPolicy: 'PreemptLowerPriority' }),
      patch(`${classes}/never`, mergePatch, { description: 'said' }),
      priorityClass('usual', { globalDefault: true, preemptionPolicy: 'Never' }),
      priorityClass('second', { globalDefault: true }),
      patch(`${classes}/lower`, mergePatch, { globalDefault: true }),
      ...everyWay([''], [undefined, 7, 0]),
      asked({ priorityClassName: 'lower' }),
      patch(`${classes}/usual`, mergePatch, { globalDefault: false }),
      patch(`${classes}/lower`, mergePatch, { globalDefault: true }),
      asked({}),
      remove(`${classes}/lower`),
      asked({}),
      post(at.core('pods'), { ...pod('kept', { priorityClassName: 'never' }), status: { phase: 'Running' } }),
      remove(`${classes}/never`),
      patch(at.core('pods/kept'), mergePatch, { metadata: { labels: { a: 'b' } } }),
    ]
  }),
  scenario('charts', () => chartRequests('charts')),
  scenario('permits', at => permitRequests(at.of(ballastApiVersion, 'disruptionpermits'))),
  scenario('policies', () => policyRequests()),
  scenario('libraries', at => libraryRequests(at.of)),
  scenario('stored-versions', () => {
    const kept = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
    const versions = (stored: string, ...names: readonly string[]) => ({
      versions: names.map(name => ({ name, served: true, storage: name === stored, schema: kept })),
    })
    const name = 'things.stored.example.com'
    const spec = { group: 'stored.example.com', names: { plural: 'things', kind: 'Thing' }, scope: 'Cluster' }
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const status = (...storedVersions: readonly string[]) =>
      patch(`${definitions}/${name}/status`, mergePatch, { status: { storedVersions } })
    const change = (stored: string, ...names: readonly string[]) =>
      patch(`${definitions}/${name}`, mergePatch, { spec: versions(stored, ...names) })
    return [
      post(definitions, { metadata: { name }, spec: { ...spec, ...versions('v1', 'v1') } }),
      change('v2', 'v1', 'v2'),
      change('v2', 'v2'),
      status('v1'),
      status('v2', 'v9'),
      change('v2', 'v1', 'v2', 'v3'),
      status(),
      change('v2', 'v2'),
      status('v1', 'v2'),
      change('v2', 'v2'),
      status('v2'),
      change('v2', 'v2'),
    ]
  }),
]
