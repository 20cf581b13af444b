// What charts and stock manifests of other people ask for and own examples did not: zeros and nulls that are written out, settings that
// are named without what belongs to them, limits without requests.
import type { AskedRequest } from '#test/api-answers.ts'

type Body = Readonly<Record<string, unknown>>

const limits = { limits: { cpu: '2', memory: '2Gi', 'example.com/card': '1' }, requests: { cpu: '10m' } }
const probe = { httpGet: { port: 8123 }, initialDelaySeconds: 0, timeoutSeconds: 1 }

function template(name: string): Body {
  return {
    metadata: { labels: { app: name }, annotations: null },
    spec: {
      hostNetwork: false,
      hostIPC: false,
      hostPID: false,
      enableServiceLinks: false,
      initContainers: [{ name: 'first', image: 'busybox:1.37', resources: { limits: { memory: '64Mi' } } }],
      containers: [
        { name: 'app', image: 'app:1', resources: limits, livenessProbe: probe, ports: [{ containerPort: 8123 }] },
        { name: 'side', image: 'side:1', resources: { limits: {} }, securityContext: { privileged: false } },
      ],
    },
  }
}

const onHost = (name: string): Body => {
  const made = template(name)
  return { ...made, spec: { ...(made['spec'] as Body), hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' } }
}

function workload(kind: string, name: string, spec: Body): Body {
  const selector = { matchLabels: { app: name } }
  return { apiVersion: 'apps/v1', kind, metadata: { name }, spec: { selector, template: template(name), ...spec } }
}

const secret: Body = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', labels: null },
  data: { kept: 'a2VwdA==' },
  stringData: { token: 'new', kept: 'other' },
}

/** The requests, each for an object of a name of its own. */
export function chartRequests(namespace: string): readonly AskedRequest[] {
  const apps = `/apis/apps/v1/namespaces/${namespace}`
  const post = (path: string, body: Body): AskedRequest => ({ verb: 'POST', path: `${path}?fieldManager=tester`, body })
  const apply = (path: string, manager: string, body: Body, more = ''): AskedRequest => ({
    verb: 'PATCH',
    path: `${path}?fieldManager=${manager}${more}`,
    contentType: 'application/apply-patch+yaml',
    body,
  })
  const job: Body = { apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'c' } }
  const jobSpec = { schedule: '@daily', suspend: false, successfulJobsHistoryLimit: 0 }
  const jobTemplate = (name: string): Body => {
    const made = template(name)
    return { spec: { template: { ...made, spec: { ...(made['spec'] as Body), restartPolicy: 'Never' } } } }
  }
  const rolling = { type: 'RollingUpdate' }
  return [
    post(
      `${apps}/statefulsets`,
      workload('StatefulSet', 'named', { serviceName: 'named', updateStrategy: rolling, replicas: null }),
    ),
    post(`${apps}/statefulsets`, workload('StatefulSet', 'unnamed', { serviceName: 'unnamed', updateStrategy: {} })),
    post(
      `${apps}/statefulsets`,
      workload('StatefulSet', 'empty', { serviceName: 'e', updateStrategy: { ...rolling, rollingUpdate: {} } }),
    ),
    post(`${apps}/daemonsets`, workload('DaemonSet', 'd', { template: onHost('d'), updateStrategy: rolling })),
    post(
      `${apps}/deployments`,
      workload('Deployment', 'w', { template: onHost('w'), strategy: { type: 'RollingUpdate', rollingUpdate: null } }),
    ),
    post(`${apps}/replicasets`, workload('ReplicaSet', 'r', { replicas: 0 })),
    post(`/apis/batch/v1/namespaces/${namespace}/cronjobs`, { ...job, spec: { ...jobSpec, jobTemplate: jobTemplate('c') } }),
    post(`/api/v1/namespaces/${namespace}/podtemplates`, { metadata: { name: 't' }, template: onHost('t') }),
    post(`/api/v1/namespaces/${namespace}/pods`, {
      metadata: { name: 'p' },
      spec: { ...(onHost('p')['spec'] as Body), automountServiceAccountToken: false },
    }),
    apply(
      `${apps}/statefulsets/applied`,
      'a',
      workload('StatefulSet', 'applied', { serviceName: 'x', updateStrategy: rolling, replicas: null }),
    ),
    apply(
      `${apps}/statefulsets/applied`,
      'a',
      workload('StatefulSet', 'applied', { serviceName: 'x', updateStrategy: rolling, replicas: 3 }),
    ),
    apply(
      `${apps}/statefulsets/applied`,
      'a',
      workload('StatefulSet', 'applied', { serviceName: 'x', updateStrategy: rolling, replicas: null }),
    ),
    apply(`${apps}/deployments/zeros`, 'a', workload('Deployment', 'zeros', { minReadySeconds: 5, paused: true })),
    apply(`${apps}/deployments/zeros`, 'b', workload('Deployment', 'zeros', { minReadySeconds: 0 }), '&force=true'),
    apply(`${apps}/deployments/zeros`, 'a', workload('Deployment', 'zeros', { minReadySeconds: 0, paused: false })),
    apply(`/api/v1/namespaces/${namespace}/secrets/s`, 'a', secret),
    apply(`/api/v1/namespaces/${namespace}/secrets/s`, 'a', secret),
    apply(`/api/v1/namespaces/${namespace}/secrets/s`, 'a', { ...secret, stringData: { token: 'newer' } }),
    // Who applies a name alone owns nothing: the next one to apply finds an object without records.
    apply('/api/v1/namespaces/charts-bare', 'a', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'charts-bare' } }),
    apply('/api/v1/namespaces/charts-bare', 'a', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'charts-bare' } }),
    apply('/api/v1/namespaces/charts-bare', 'b', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'charts-bare', labels: { a: 'b' } },
    }),
  ]
}
