// metrics-server, whose place the capability `metrics` takes: one write of its APIService leads callers from one to the other.

import type { Api } from '#kube/client/api.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { durationOr0 } from '#kube/time/duration.ts'
import { parseTime } from '#kube/time/time.ts'
import { isNamedAfter, none, type Served, type Upstream } from '#upstreams/upstream.ts'
import { pointsWords, servedApi } from '../names.ts'
import { convertMetricsServer, metricsServerRows, metricsServerVersions } from './metrics-server-rows.ts'
import { convertMetricsServerWorkload } from './metrics-server-workload.ts'

const id = 'metrics-server'
const shortestFreshMs = 60_000
/** As long as a point is served without another after it. */
const freshResolutions = 2.5

export const metricsServer: Upstream = {
  ...none,
  name: id,
  capability: 'metrics',
  workloads: [/^metrics-server$/, /-metrics-server$/],
  names: [id],
  images: ['metrics-server', 'mirrored-metrics-server'],
  beside: () => 'each kubelet is asked twice, and the APIService says who of them answers',
  replaced: {
    id,
    versions: metricsServerVersions,
    rows: metricsServerRows,
    convert: convertMetricsServer,
    convertWorkload: convertMetricsServerWorkload,
    plainKinds: ['Deployment'],
    swap: {
      part: {
        kind: 'api',
        component: 'apiserver',
        apiService: servedApi.name,
        served: servedNow,
        measured,
        freshMs: section => Math.max(shortestFreshMs, freshResolutions * durationOr0(textAt(section, 'resolution') ?? '')),
        afterwards,
      },
      does: 'measures and answers',
      isPlain,
      reinstall:
        'helm install metrics-server metrics-server/metrics-server -n kube-system --set replicas=0 --set apiService.create=false',
    },
  },
}

async function servedNow({ api, signal }: { readonly api: Api; readonly signal: AbortSignal }): Promise<Served> {
  const { group, version } = servedApi
  const [nodes, pods] = await Promise.all(
    ['nodes', 'pods'].map(
      async resource => (await api.resource<KubeObject>({ group, version, resource }).list({ signal })).items,
    ),
  )
  const times = (nodes ?? []).flatMap(node => {
    const time = parseTime(textAt(node, 'timestamp') ?? '')
    return time.ok ? [time.value] : []
  })
  return {
    counts: {
      nodes: nodes?.length ?? 0,
      containers: (pods ?? []).reduce((sum, pod) => sum + listAt(pod, 'containers').length, 0),
    },
    newestMs: times.length === 0 ? undefined : Math.max(...times),
  }
}

function measured(readiness: string): Served['counts'] | undefined {
  const [, nodes, containers] = pointsWords.pattern.exec(readiness) ?? []
  return nodes === undefined ? undefined : { nodes: Number(nodes), containers: Number(containers) }
}

/** k3s brings what it bundles, and marks it. */
function afterwards({ metadata: { annotations = {} } }: KubeObject): string | undefined {
  if (!Object.keys(annotations).some(key => key.startsWith('objectset.rio.cattle.io/'))) return undefined
  return 'k3s applies its own metrics-server again when it starts, and its APIService with it: write "disable: [metrics-server]" into /etc/rancher/k3s/config.yaml of each server before the next start'
}

/** Roles and bindings of plain manifests, beside what is named after the workload. */
const plainNames: Readonly<Record<string, readonly string[]>> = {
  ClusterRole: ['system:metrics-server', 'system:aggregated-metrics-reader'],
  ClusterRoleBinding: ['system:metrics-server', 'metrics-server:system:auth-delegator'],
}

/** Manifests of upstream and of k3s name everything after the program; roles have a prefix. */
function isPlain(object: KubeObject, workload: KubeObject): boolean {
  // What a chart made says so.
  const isOfChart = workload.metadata.labels?.['helm.sh/chart'] !== undefined
  if (isOfChart || workload.metadata.name !== id) return false
  const { kind, metadata } = object
  if (plainNames[kind]?.includes(metadata.name) === true) return true
  if (kind === 'RoleBinding') return metadata.namespace === 'kube-system' && metadata.name === 'metrics-server-auth-reader'
  return metadata.namespace !== undefined && isNamedAfter(object, workload)
}
