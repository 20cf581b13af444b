// KEDA, whose place the capability `autoscale` takes: its Lease says whose turn it is, and one write of its APIService leads autoscalers after it.
import { imagesOf, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { none, type Upstream } from '#upstreams/upstream.ts'
import { eventingGroup, externalMetrics, kedaGroup } from '../names.ts'
import { answeredNow } from './keda-answers.ts'
import { lostBack } from './keda-back.ts'
import { kedaObstacles, standsAlone, usersObjects } from './keda-obstacles.ts'
import { convertKeda, kedaRows, kedaVersions } from './keda-rows.ts'
import { kedaLease } from './keda-told.ts'
import { convertKedaWorkload } from './keda-workload.ts'

const id = 'keda'

export const keda: Upstream = {
  ...none,
  name: 'KEDA',
  capability: 'autoscale',
  workloads: [/^keda-operator$/, /^keda(-operator)?-metrics-apiserver$/, /^keda-admission(-webhooks)?$/],
  names: [id, 'keda-operator'],
  images: ['kedacore/keda', 'kedacore/keda-metrics-apiserver', 'kedacore/keda-admission-webhooks'],
  leases: [kedaLease],
  groups: [kedaGroup, eventingGroup],
  finalizers: [/^finalizer\.keda\.sh$/],
  beside: () => `the holder of Lease ${kedaLease} scales, and the APIService says who of them answers autoscalers`,
  replaced: {
    id,
    versions: kedaVersions,
    knownVersions: /^v?2\.2[01]\.\d+$/,
    rows: kedaRows,
    convert: convertKeda,
    convertWorkload: convertKedaWorkload,
    plainKinds: ['Deployment'],
    swap: {
      part: {
        kind: 'led-api',
        component: 'apiserver',
        apiService: `${externalMetrics.version}.${externalMetrics.group}`,
        lease: kedaLease,
        writesAuthority: true,
        obstacles: kedaObstacles,
        lostBack,
        standsAlone,
        answered: answeredNow,
        isJudgedBy,
        uninstallHarm:
          'deletes its CustomResourceDefinitions, and every ScaledObject, ScaledJob and TriggerAuthentication with them',
      },
      does: 'scales by events',
      isCompanion,
      furtherKinds: [['monitoring.coreos.com/v1', 'PrometheusRule']],
      usersObjects,
      isPlain,
      hint: () =>
        'its CustomResourceDefinitions stay as they are; as long as Helm knows the release, helm uninstall deletes them, and every ScaledObject with them',
      reinstall:
        'helm install keda kedacore/keda -n keda --set operator.replicaCount=0 --set metricsServer.enabled=false --set crds.install=false',
    },
  },
}

/** What answers and what judges: neither does anything by itself. */
function isCompanion(workload: KubeObject): boolean {
  const { metadata } = workload
  const isOfImage = imagesOf(workload).some(image => /(^|\/)keda-(metrics-apiserver|admission-webhooks)(?=[:@]|$)/.test(image))
  return isOfImage || /-metrics-apiserver$|-admission(-webhooks)?$/.test(metadata.name)
}

/** Every webhook of it asks a Service beside the operator, by a path of KEDA's. */
function isJudgedBy(configuration: KubeObject, workload: KubeObject): boolean {
  const webhooks = listAt(configuration, 'webhooks')
  const isTheirs = (webhook: unknown) =>
    textAt(webhook, 'clientConfig', 'service', 'namespace') === workload.metadata.namespace &&
    /^\/validate-(eventing-)?keda-sh-/.test(textAt(webhook, 'clientConfig', 'service', 'path') ?? '')
  return webhooks.length > 0 && webhooks.every(isTheirs)
}

/** What the manifests of a release name; the kinds are none of it. */
const plainNames: Readonly<Record<string, readonly string[]>> = {
  ServiceAccount: ['keda-operator', 'keda-metrics-server', 'keda-webhook'],
  ClusterRole: ['keda-operator', 'keda-external-metrics-reader', 'keda:edit', 'keda:view', 'keda-webhook'],
  ClusterRoleBinding: ['keda-operator', 'keda-system-auth-delegator', 'keda-hpa-controller-external-metrics', 'keda-webhook'],
  Role: ['keda-operator'],
  RoleBinding: ['keda-operator', 'keda-auth-reader'],
  Service: ['keda-operator', 'keda-metrics-apiserver', 'keda-admission-webhooks'],
}

function isPlain({ kind, metadata }: KubeObject, workload: KubeObject): boolean {
  // What a chart made says so.
  if (workload.metadata.labels?.['helm.sh/chart'] !== undefined || plainNames[kind]?.includes(metadata.name) !== true)
    return false
  const { namespace } = metadata
  if (kind === 'RoleBinding' && metadata.name === 'keda-auth-reader') return namespace === 'kube-system'
  return namespace === undefined || namespace === workload.metadata.namespace
}
