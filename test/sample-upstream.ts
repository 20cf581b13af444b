// An upstream that nobody has: a chart with three keys, a Deployment, a Lease. It is rows alone, and shows what a further upstream costs.
import type { KubeObject } from '#kube/objects/objects.ts'
import { byRows } from '../src/upstreams/convert-values.ts'
import { none } from '../src/upstreams/upstream.ts'
import type { Replaceable } from '../src/upstreams/upstreams.ts'
import { upstreamContainer } from '../src/upstreams/values-input.ts'
import { dropped, lostUnlessEmpty, same } from '../src/upstreams/values-row.ts'
import { type ValuesTree, withValue } from '../src/upstreams/values-tree.ts'

const id = 'fencer'
const rows = [
  same('logLevel', 'process.logLevel'),
  dropped('image.tag', 'Ballast is one image of its own'),
  lostUnlessEmpty('fence.colour', 'ours has no colour'),
]
const convert = byRows(rows, 'isolate')

/** Flags are the chart's keys: `--logLevel=debug`. */
function flagValues(workload: ValuesTree): ValuesTree {
  const args = upstreamContainer(workload, id)?.['args']
  return (Array.isArray(args) ? args.map(String) : []).reduce<ValuesTree>((values, word) => {
    const [key = '', value = ''] = word.replace(/^--/, '').split('=')
    return withValue(values, key.split('.'), value)
  }, {})
}

export const sampleUpstream: Replaceable = {
  ...none,
  name: 'Fencer',
  capability: 'isolate',
  workloads: [/^fencer$/],
  names: [id],
  images: ['example/fencer'],
  leases: ['fencer-lock'],
  twice: { verb: 'isolates' },
  replaced: {
    id,
    versions: ['1.0.0'],
    rows,
    convert,
    convertWorkload: (workload, { namespace }) => convert({ values: flagValues(workload), version: undefined, namespace }),
    plainKinds: ['Deployment'],
    swap: { part: { kind: 'section' }, does: 'isolates', reinstall: 'helm install fencer example/fencer --set replicas=0' },
  },
}

const labels = { 'app.kubernetes.io/instance': id, 'app.kubernetes.io/name': id, 'helm.sh/chart': `${id}-1.0.0` }
const metadata = { name: id, namespace: 'fences', labels }
const selector = { 'app.kubernetes.io/name': id }

/** As its chart leaves it in a cluster. */
export const sampleInstallation = (args: readonly string[] = ['--logLevel=debug']): readonly KubeObject[] => [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, name: `${id}-settings` }, data: { a: '1' } },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas: 2,
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: { serviceAccountName: id, containers: [{ name: id, image: 'registry.example/example/fencer:1.0.0', args }] },
      },
    },
  },
]
