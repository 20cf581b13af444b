// The descheduler, whose place a process of ours takes by upstream's own policy and flags.
import { listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { liesBeside, none, type Upstream } from '#upstreams/upstream.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { sparingWords } from './descheduler-policy.ts'
import { convertDescheduler, deschedulerRows, deschedulerVersions } from './descheduler-rows.ts'
import { toldDifferently, wordsOf } from './descheduler-told.ts'
import { convertDeschedulerWorkload, deschedulerFlags, policyPlace, policySource, policyText } from './descheduler-workload.ts'

const id = 'descheduler'

export const descheduler: Upstream = {
  ...none,
  name: 'descheduler',
  capability: 'deschedule',
  // The plain manifests' CronJob has a name of its own.
  workloads: [/^descheduler(-cronjob)?$/, /-descheduler$/],
  names: [id],
  images: ['descheduler/descheduler'],
  leases: ['descheduler'],
  twice: { verb: 'evicts' },
  beside: () => 'both act, and what a plan has placed its strategies may evict',
  leaseOf,
  replaced: {
    id,
    versions: deschedulerVersions,
    knownVersions: /^v?0\.3[3-7]\.\d+$/,
    rows: deschedulerRows,
    convert: convertDescheduler,
    convertWorkload: convertDeschedulerWorkload,
    plainKinds: ['Deployment', 'CronJob'],
    swap: {
      part: {
        kind: 'process',
        component: 'descheduler',
        differences: (theirs, ours) => {
          const [a, b] = [theirs, ours].map(({ workload, configMap }) => ({
            workload,
            words: wordsOf(workload),
            policy: policyText(workload, configMap),
          }))
          return a === undefined || b === undefined ? [] : toldDifferently(a, b)
        },
        shadowCommand,
      },
      does: 'evicts',
      reads: policyPlace,
      isPlain,
      hint: values => sparingWords(valueAt(values, ['descheduler', 'policy'])),
      reinstall: 'helm install descheduler descheduler/descheduler --set suspend=true   # a Deployment: scale it to 0 at once',
    },
  },
}

function shadowCommand(workload: KubeObject): string {
  const { configMap, key = '' } = policySource({ ...workload }) ?? {}
  const read = `kubectl -n ${workload.metadata.namespace} get configmap ${configMap} -o jsonpath='{.data.${key.replaceAll('.', '\\.')}}' > policy.yaml && `
  const interval = deschedulerFlags({ ...workload }).get('descheduling-interval')
  const told = typeof interval === 'string' ? ` --descheduling-interval ${interval}` : ''
  return `${configMap === undefined ? '' : read}ballast shadow --policy-config-file policy.yaml${told} --cycles 1   # the table of pods, one interval long`
}

function leaseOf(workload: KubeObject): string | undefined {
  const flags = deschedulerFlags({ ...workload })
  if (!flags.has('leader-elect') || flags.get('leader-elect') === 'false') return undefined
  return `${flags.get('leader-elect-resource-namespace') ?? 'kube-system'}/${flags.get('leader-elect-resource-name') ?? 'descheduler'}`
}

/** Plain manifests name everything after the program, whatever the workload is called; their Role lies where somebody applied it. */
function isPlain(object: KubeObject, workload: KubeObject): boolean {
  const { kind, metadata } = object
  const { name } = metadata
  // What a chart made says so.
  const isOfChart = workload.metadata.labels?.['helm.sh/chart'] !== undefined
  if (isOfChart || (name !== id && !name.startsWith(`${id}-`))) return false
  const account = textAt(templateOf(workload), 'spec', 'serviceAccountName')
  const { namespace } = workload.metadata
  switch (kind) {
    case 'ServiceAccount':
      return name === account && liesBeside(object, workload)
    case 'ConfigMap':
      return policyPlace(workload)?.name === name && liesBeside(object, workload)
    case 'ClusterRoleBinding':
    case 'RoleBinding':
      return listAt(object, 'subjects').some(
        subject => textAt(subject, 'name') === account && textAt(subject, 'namespace') === namespace,
      )
    default:
      return kind === 'Role' || liesBeside(object, workload)
  }
}
